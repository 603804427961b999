import { expect, test } from "bun:test";
import { SHIPPED_SCHEMAS, shippedSchemas } from "../../../scripts/build-schemas.ts";

test("the package for Python ships the schemas that the gateway serves: `npm run build:schemas`", async () => {
  expect(await Bun.file(SHIPPED_SCHEMAS).json()).toEqual(shippedSchemas());
});
