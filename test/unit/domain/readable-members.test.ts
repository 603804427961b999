import { describe, expect, test } from "bun:test";
import { readableMembers } from "../../../src/domain/readable-members.ts";
import { ERROR, RESULT, STATUS } from "./event-samples.ts";
import { Seeded } from "./seeded.ts";

const read = (text: string) => Object.fromEntries(readableMembers(text));

describe("what can be read of a text that need be no JSON", () => {
  test("is of valid JSON what JSON.parse reads", () => {
    for (const sample of [STATUS, RESULT, ERROR, { a: { "}": ["]"] }, b: 'q"\\', c: [[], {}], d: "it's" }]) {
      for (const indent of [0, 1]) {
        const text = JSON.stringify(sample, undefined, indent);
        const parsed = Object.entries(read(text)).map(([name, source]) => [name, JSON.parse(source)]);
        expect(Object.fromEntries(parsed)).toEqual(sample);
      }
    }
    expect(read('{"a":1,"a":2,"\\u0062":3}')).toEqual({ a: "2", b: "3" });
    expect(read("{}")).toEqual({});
  });

  const texts: [string, string, Record<string, string>][] = [
    ["NaN", '{"a":NaN,"b":-Infinity,"c":1}', { a: "NaN", b: "-Infinity", c: "1" }],
    ["a cut", '{"a":"x","b":"y', { a: '"x"' }],
    ["a cut in a number", '{"a":"x","b":12', { a: '"x"' }],
    ["a cut in what is nested", '{"a":1,"b":[{"c":"]', { a: "1" }],
    ["a line break in a text", '{"a":"x\ny","b":1}', { a: '"x\ny"', b: "1" }],
    ["quotes within a text", '{"a":"x","b":"no "y" here","c":1}', { a: '"x"', b: '"no "' }],
    [
      "Python's own way",
      `{'a': 'x', 'b': "it's", 'c': True, 'd': None}`,
      { a: "'x'", b: `"it's"`, c: "True", d: "None" },
    ],
    ["Python's bytes", `b'{"a":"x"}'`, { a: '"x"' }],
    ["a byte order mark", '\ufeff{"a":1}', { a: "1" }],
    ["a field's name before it", 'data {"a":1}', { a: "1" }],
    ["a list of events", '[{"a":1},{"a":2}]', { a: "1" }],
    ["JSON encoded twice", JSON.stringify('{"a":"x\\"y"}'), { a: '"x\\"y"' }],
    ["a comma too many", '{"a":1,}', { a: "1" }],
    ["a member without a value", '{"a":1,"b":}', { a: "1" }],
    ["no object", "[1]", {}],
    ["a text", '"{"', {}],
    ["an object that begins late", `${" ".repeat(100)}{"a":1}`, {}],
  ];
  test.each(texts)("%s", (_, text, members) => expect(read(text)).toEqual(members));

  test("costs neither stack nor patience, however hostile the text", () => {
    const began = performance.now();
    for (const text of [
      `{"a":${"[".repeat(500_000)}`,
      `{"a":"${'\\"'.repeat(250_000)}`,
      `{${'"a":1,'.repeat(80_000)}`,
      `{"a":"${"x".repeat(5_000_000)}","b":1}`,
      `"${'{\\"a\\":1,'.repeat(50_000)}"`,
    ]) {
      readableMembers(text);
    }
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  test("never throws, over samples with a piece cut out, doubled or replaced", () => {
    const random = new Seeded(17);
    const pieces = ["", ..."{}[]\",:\\'\n", "NaN", "\ud800"];
    for (let run = 0; run < 5_000; run++) {
      const sample = JSON.stringify(random.pick([STATUS, RESULT, ERROR]));
      const at = random.below(sample.length);
      const text = sample.slice(0, at) + random.pick(pieces) + sample.slice(at + random.below(3));
      for (const source of readableMembers(text).values()) expect(text).toContain(source);
    }
  });
});
