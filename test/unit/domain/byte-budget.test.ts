import { describe, expect, test } from "bun:test";
import { Filling, fill } from "../../../src/domain/byte-budget.ts";

const asIs = (bytes: number) => bytes;

describe("a budget", () => {
  test("is filled in order, up to its items and its bytes", () => {
    expect(fill([1, 2, 3, 4], { items: 3, bytes: 100 }, asIs)).toEqual([1, 2, 3]);
    expect(fill([1, 2, 3, 4], { items: 9, bytes: 6 }, asIs)).toEqual([1, 2, 3]);
    expect(fill([5, 9, 1], { items: 9, bytes: 6 }, asIs)).toEqual([5]);
    expect(fill([], { items: 9, bytes: 6 }, asIs)).toEqual([]);
  });

  test("always takes the first, however large, and then no other", () => {
    expect(fill([100, 1], { items: 9, bytes: 6 }, asIs)).toEqual([100]);
    expect(fill([100, 0], { items: 9, bytes: 0 }, asIs)).toEqual([100]);
  });

  test("says what is left of it", () => {
    const filling = new Filling({ items: 2, bytes: 10 });
    expect([filling.left, filling.isFull]).toEqual([{ items: 2, bytes: 10 }, false]);
    filling.take(4);
    expect([filling.left, filling.isFull]).toEqual([{ items: 1, bytes: 6 }, false]);
    expect(filling.take(7)).toBe(false);
    filling.add(7);
    expect([filling.left, filling.isFull]).toEqual([{ items: 0, bytes: 0 }, true]);
  });
});
