import { afterAll, describe, expect, test } from "bun:test";
import { runCase } from "../../../../conformance/javascript-runner.ts";
import type { Offer } from "../../../../conformance/server/case-format.ts";
import { startConformanceServer } from "../../../../conformance/server/control.ts";

const folder = new URL("../../../../conformance/", import.meta.url).pathname;
const files = [...new Bun.Glob("*.yaml").scanSync({ cwd: folder })].sort().map((name) => folder + name);

describe("telltale-client keeps the rule", async () => {
  const server = await startConformanceServer(files);
  afterAll(() => server.stop());
  const offers = (await (await fetch(`${server.url}/cases`)).json()) as Offer[];

  for (const offer of offers)
    test(`${offer.case}, over ${offer.transports.join(", ")}: ${offer.rule}`, async () => {
      expect(await runCase(server.url, offer)).toBeNull();
    });
});
