import { expect, test } from "bun:test";
import { CancelRefused, WatchRefused, watch } from "../../../src/client/sdk.ts";

test("telltale/watcher is the client of telltale-client", async () => {
  expect({ ...(await import("telltale/watcher")) }).toEqual({ CancelRefused, WatchRefused, watch });
});
