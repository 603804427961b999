import { describe, expect, test } from "bun:test";
import { readableMembers } from "../../../src/domain/readable-members.ts";
import { processorTime } from "../../support/processor-time.ts";
import { ERROR, RESULT, STATUS } from "./event-samples.ts";
import { Seeded } from "./seeded.ts";

const read = (text: string) => Object.fromEntries(readableMembers(text));

describe("the readable members of a text that need be no JSON", () => {
  test("are those of JSON.parse if the text is valid JSON", () => {
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

  describe("are those of its beginning and its end if it is too long to be seen whole", () => {
    const pad = "x".repeat(300);
    const seen = (text: string) => Object.fromEntries(readableMembers(text.slice(0, 150), text.slice(-150)));
    const cut: [string, string, Record<string, string>][] = [
      [
        "JSON",
        `{"a":1,"pad":"${pad}","b":"y","c":[{"b":"}"}],"d":-1.5}`,
        { a: "1", b: '"y"', c: '[{"b":"}"}]', d: "-1.5" },
      ],
      ["spread over lines", `{\n  "a": 1,\n  "pad": "${pad}",\n  "b": "y"\n}\n`, { a: "1", b: '"y"' }],
      ["with NaN", `{"a":1,"pad":"${pad}","b":NaN,"c":-Infinity}`, { a: "1", b: "NaN", c: "-Infinity" }],
      [
        "Python's own way",
        `{'a': 1, 'pad': '${pad}', 'b': "it's", 'c': True}`,
        { a: "1", b: `"it's"`, c: "True" },
      ],
      ["Python's bytes", `b'{"a":1,"pad":"${pad}","b":2}'`, { a: "1", b: "2" }],
      ["a comma too many", `{"a":1,"pad":"${pad}","b":2, }`, { a: "1", b: "2" }],
      ["escaped quotes", `{"a":1,"pad":"${pad}","b":"\\"x\\\\","c":1}`, { a: "1", b: '"\\"x\\\\"', c: "1" }],
      ["encoded twice", JSON.stringify(`{"a":1,"pad":"${pad}","b":"\n"}`), { a: "1", b: '"\n"' }],
      ["names given twice", `{"a":1,"pad":"${pad}","a":2,"a":3}`, { a: "3" }],
      ["a nested object last", `{"a":1,"pad":[${'{"b":1},'.repeat(60)}{"a":2}]}`, { a: "1" }],
      ["a nested object that is large", `{"a":1,"pad":{"a":2,"x":"${pad}","b":3}}`, { a: "1" }],
      ["a field behind it", `data {"a":1,"pad":"${pad}","b":2} trace x`, { a: "1", b: "2" }],
      ["another object behind it", `{"a":1,"pad":"${pad}"}{"b":2,"c":3}`, { a: "1" }],
      ["another object before it", `{"a":1},{"pad":"${pad}","b":2}`, { a: "1" }],
      ["a value out of sight", `{"a":1,"b":2,"pad":"${pad}"}`, { a: "1", b: "2" }],
      ["a tail that its worker cut", `{"a":1,"pad":"${pad}","b":{"c":"d`, { a: "1" }],
      ["an object that never began", `${pad},"b":2}`, {}],
    ];
    test.each(cut)("%s", (_, text, members) => expect(seen(text)).toEqual(members));

    test("are found in JSON encoded twice wherever the cuts are", () => {
      const text = JSON.stringify(JSON.stringify({ a: 1, pad: '"\\\u0001"'.repeat(60), b: 2 }));
      for (let size = 60; size < 100; size++) {
        const members = Object.fromEntries(readableMembers(text.slice(0, size), text.slice(-size)));
        expect(members).toEqual({ a: "1", b: "2" });
      }
    });

    test("are those of the first 4 Mi characters and of the last 64 Ki", () => {
      const text = (behind: number) =>
        `{"a":1,"pad":"${"x".repeat(4_300_000)}","b":"${"y".repeat(behind)}","c":2}`;
      expect(Object.keys(read(text(1)))).toEqual(["a", "c", "b"]);
      expect(Object.keys(read(text(100_000)))).toEqual(["a", "c"]);
    });
  });

  test("costs neither stack nor patience, however hostile the text", () => {
    const spent = processorTime();
    for (const text of [
      `{"a":${"[".repeat(500_000)}`,
      `{"a":"${'\\"'.repeat(250_000)}`,
      `{${'"a":1,'.repeat(80_000)}`,
      `{"a":"${"x".repeat(5_000_000)}","b":1}`,
      `"${'{\\"a\\":1,'.repeat(50_000)}"`,
    ]) {
      readableMembers(text);
      readableMembers(text.slice(0, 64 * 1024), text.slice(-64 * 1024));
    }
    for (const tail of [
      "]".repeat(65_000),
      '\\"'.repeat(30_000),
      ',"a":1'.repeat(10_000),
      "\\".repeat(65_000),
    ]) {
      for (const end of ["}", '"}', "]}"]) readableMembers('{"a":"', `${tail}${end}`);
    }
    expect(spent()).toBeLessThan(3_000);
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
