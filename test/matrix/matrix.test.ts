import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Cell } from "./cell.ts";
import { BROKERS, RUNTIMES } from "./cells.ts";
import { CHECKS } from "./checks.ts";
import { Results, tableIn, withTable } from "./table.ts";

const README = `${import.meta.dir}/../../README.md`;
const results = new Results();

for (const broker of BROKERS) {
  for (const runtime of RUNTIMES) {
    describe.skipIf(!broker.isThere())(`${broker.name} on ${runtime}`, () => {
      const cell = new Cell(broker, runtime);
      beforeAll(() => cell.start());
      afterAll(() => cell.end());

      for (const check of CHECKS) {
        test(check.name, async () => {
          const where = { broker: broker.name, runtime, check: check.name };
          const reason = check.skip?.(cell.capabilities);
          if (reason === undefined) await check.run(cell);
          else console.log(`skipped on ${broker.name}, ${runtime}: ${check.name}: ${reason}`);
          results.add(where, reason === undefined ? "passed" : "skipped");
        }, 180_000);
      }
    });
  }
}

test("README has the table of the matrix", async () => {
  const readme = await Bun.file(README).text();
  const table = results.table();
  console.log(`\n${table}`);
  if (process.env.TELLTALE_MATRIX === "write") await Bun.write(README, withTable(readme, table));
  else if (results.isWhole()) expect(tableIn(readme)).toBe(table);
});
