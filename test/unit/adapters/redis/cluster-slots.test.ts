import { describe, expect, test } from "bun:test";
import { ownedSlots } from "../../../../src/adapters/redis/cluster-reading.ts";
import { slotOf, tagIn } from "../../../../src/adapters/redis/cluster-slots.ts";

describe("slotOf()", () => {
  test.each([
    ["123456789", 12_739],
    ["foo", 12_182],
    ["{foo}bar", 12_182],
    ["é", 10_180],
  ])("gives the slot of %s as Redis does", (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });

  test("takes the first tag that is not empty, and else the whole key", () => {
    expect(slotOf("a{foo}{bar}")).toBe(slotOf("foo"));
    expect(slotOf("{}foo")).not.toBe(slotOf("foo"));
    expect(slotOf("foo}{")).not.toBe(slotOf(""));
  });
});

test("tagIn() makes tags of these slots alone, each another one", () => {
  const ranges = [
    [0, 99],
    [16_300, 16_383],
  ] as const;
  const tags = Array.from({ length: 20 }, () => tagIn(ranges, (random) => `try:${random}`));
  for (const tag of tags)
    expect(ranges.some(([first, last]) => slotOf(tag) >= first && slotOf(tag) <= last)).toBe(true);
  expect(new Set(tags).size).toBe(tags.length);
});

test("ownedSlots() gives a server without a host that of the server that was asked", () => {
  const asked = { host: "cache.example", port: 6379 };
  const answer = [
    [0, 99, ["10.0.0.1", 6380, "id", []], ["10.0.0.2", 6381, "id", []]],
    [100, 199, ["", 6382, "id", []], [null, 6383, "id", []], ["?", 6384, "id", []]],
    [200, 299],
  ];
  const here = (port: number) => ({ host: "cache.example", port });
  expect(ownedSlots(answer, asked)).toEqual([
    {
      slots: [0, 99],
      servers: [
        { host: "10.0.0.1", port: 6380 },
        { host: "10.0.0.2", port: 6381 },
      ],
    },
    { slots: [100, 199], servers: [here(6382), here(6383), here(6384)] },
  ]);
});
