import { expect, test } from "bun:test";
import { linesOf, type PartReport } from "../../../../src/gateway/commands/check-report.ts";

const away = (name: string): PartReport => ({
  name,
  works: false,
  reason: "refused",
  hint: "look at host and port",
});

test("OPS-15: the report tells a cause once, and refers to it where it holds again", () => {
  const lines = linesOf({
    ...{ notes: [], broker: "redis", servers: [], version: undefined, capabilities: [], missing: [] },
    ...{ warnings: [], tokens: [], broken: "no" },
    parts: [
      away("append"),
      away("history"),
      { name: "inbox", works: false, reason: "refused", hint: "another" },
      { name: "plain", works: false, reason: "refused", hint: "" },
      { name: "more", works: false, reason: "refused", hint: "" },
    ],
  });
  expect(lines.filter((line) => /^[✗ ]/.test(line)).map((line) => line.replace(/ +/g, " "))).toEqual([
    "✗ append refused",
    " look at host and port",
    "✗ history the same as append",
    "✗ inbox refused",
    " another",
    "✗ plain refused",
    "✗ more refused",
  ]);
});
