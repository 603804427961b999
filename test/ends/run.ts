import { parseArgs } from "node:util";
import { CASE_NAMES, describeEnd, expectedOf } from "./expected.ts";
import { KIND_NAMES } from "./kinds.ts";
import { BRIEF, FULL } from "./lengths.ts";
import { writePage } from "./page.ts";
import { playTable } from "./table.ts";

/**
 * `npm run ends`: real workers of every kind end in every way, and a watcher sees each end. `--brief`: with short outages.
 * `--write` puts the figures into docs/ENDS.md if all went well. `--kind TEXT` and `--case TEXT` choose by a part of the name. Exit code 1 if an end was wrong or late.
 */
const { values } = parseArgs({
  options: {
    brief: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    kind: { type: "string", default: "" },
    case: { type: "string", default: "" },
  },
});

const settled = await playTable(values.brief ? BRIEF : FULL, {
  kinds: KIND_NAMES.filter((kind) => kind.includes(values.kind)),
  cases: CASE_NAMES.filter((name) => name.includes(values.case)),
});
for (const { name, kind, faults, seconds } of settled) {
  const end = describeEnd(expectedOf(name, kind));
  console.log(`${kind}, ${name}: ${faults.length === 0 ? end : "FAILED"}, ${seconds.toFixed(1)} s`);
  for (const fault of faults) console.log(`      ${fault}`);
}
const failed = settled.some(({ faults }) => faults.length > 0);
if (values.write && !failed) writePage(settled);
process.exit(failed ? 1 : 0);
