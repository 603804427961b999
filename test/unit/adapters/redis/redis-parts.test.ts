import { describe, expect, test } from "bun:test";
import { redisParts } from "../../../../src/adapters/redis/redis-parts.ts";
import { SCRIPTS } from "../../../../src/adapters/redis/redis-scripts.ts";
import mendInbox from "../../../../src/adapters/redis/scripts/mend-inbox.lua" with { type: "text" };
import readInbox from "../../../../src/adapters/redis/scripts/read-inbox.lua" with { type: "text" };
import removeDeadLetter from "../../../../src/adapters/redis/scripts/remove-dead-letter.lua" with {
  type: "text",
};
import removeEntries from "../../../../src/adapters/redis/scripts/remove-entries.lua" with { type: "text" };
import takeInbox from "../../../../src/adapters/redis/scripts/take-inbox.lua" with { type: "text" };

const PARTS = redisParts(0, new Set(["analysis", "user", "system"] as const));
const COMMANDS = new Map(PARTS.map(({ name, tried }) => [name, tried.map((words) => words.join(" "))]));

describe("the parts of Redis", () => {
  test.each([
    ["append", SCRIPTS.plain.appendEvents.text],
    ["append", SCRIPTS.plain.declareViewers.text],
    ["append", SCRIPTS.plain.mark.text],
    ["append", SCRIPTS.plain.readChannel.text],
    ["append", SCRIPTS.plain.readPositions.text],
    ["inbox", takeInbox],
    ["inbox", readInbox],
    ["inbox", removeEntries],
    ["inbox", mendInbox],
    ["dead letters", SCRIPTS.plain.deadLetter.text],
    ["dead letters", removeDeadLetter],
  ])("OPS-15: %s tries every command that a script of it calls", (part, script) => {
    const tried = [...(COMMANDS.get(part) ?? []), ...(COMMANDS.get("append") ?? [])].join("\n");
    const called = Array.from(script.matchAll(/\bp?call\('([A-Z]+)'/g), ([, command = ""]) => command);
    expect(called).not.toEqual([]);
    for (const command of called) expect(tried).toMatch(new RegExp(`(^|')${command}\\b`, "m"));
  });

  test("do not listen to workers if the gateway does not", () => {
    expect(redisParts(0, new Set()).map(({ name }) => name)).not.toContain("worker channels");
  });
});
