import { beforeAll, describe, expect, test } from "bun:test";
import { needs } from "../support/needs.ts";
import { CASE_NAMES, describeEnd, expectedOf } from "./expected.ts";
import { KIND_NAMES } from "./kinds.ts";
import { BRIEF } from "./lengths.ts";
import { endsOnPage, expectedEnds } from "./page.ts";
import { playTable, type Settled } from "./table.ts";

/** All at once, with short outages; `npm run ends` plays it at full length. */
describe.skipIf(!needs("redis-server") || !needs("celery"))(
  "a worker of each kind, watched to its end",
  () => {
    let settled: readonly Settled[] = [];
    beforeAll(async () => {
      settled = await playTable(BRIEF);
    }, 300_000);

    test.each(
      CASE_NAMES.flatMap((name) =>
        KIND_NAMES.map((kind) => [name, kind, describeEnd(expectedOf(name, kind))] as const),
      ),
    )("%s, %s: %s", (name, kind) => {
      expect(settled.find((one) => one.name === name && one.kind === kind)?.faults).toEqual([]);
    });
  },
);

test("docs/ENDS.md has each end", () => {
  expect(endsOnPage()).toEqual(expectedEnds());
});
