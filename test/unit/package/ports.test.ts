import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";

const root = new URL("../../../", import.meta.url).pathname;
const PORTS = [
  "broker-health",
  "broker-ports",
  "clock-port",
  "dead-letter-port",
  "deduplication-key",
  "inbox-port",
  "pub-sub-port",
  "telemetry-port",
  "worker-channel-port",
];
/** The gateway's own questions about ports. An adapter answers none of them. */
const NOT_FOR_ADAPTERS = ["canRead", "missingCapabilities"];

describe("telltale/ports", () => {
  const exported = namesIn(readFileSync(`${root}src/package/ports.ts`, "utf8"));

  test.each(PORTS)("exports by name every type of %s.ts, and every type that its signatures use", (port) => {
    const text = readFileSync(`${root}src/application/ports/${port}.ts`, "utf8");
    const typesOnly = [...text.matchAll(/^import type \{([^}]+)\}/gm)].flatMap(([, names = ""]) =>
      wordsOf(names),
    );
    const own = namesIn(text).filter((name) => !NOT_FOR_ADAPTERS.includes(name));
    expect(own.length).toBeGreaterThan(0);
    expect([...own, ...typesOnly].filter((name) => !exported.includes(name))).toEqual([]);
  });
});

/** The names that a file exports, whether it declares them or passes them on. */
function namesIn(text: string): string[] {
  const declared = /^export (?:interface|type|const|function) (\w+)/gm;
  const passedOn = /^export (?:type )?\{([^}]+)\}/gm;
  return [
    ...[...text.matchAll(declared)].map(([, name = ""]) => name),
    ...[...text.matchAll(passedOn)].flatMap(([, names = ""]) => wordsOf(names)),
  ];
}

function wordsOf(names: string): string[] {
  return names
    .split(",")
    .map((name) => name.replace(/\btype\b/, "").trim())
    .filter((name) => name !== "");
}
