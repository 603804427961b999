import { describe, expect, test } from "bun:test";
import { EventRing } from "../../../src/application/fan-out/event-ring.ts";
import { published, publishedOfLength } from "../../support/published-event.ts";

describe("EventRing", () => {
  const ringOf = (count: number) => {
    const ring = new EventRing();
    for (let offset = 1; offset <= count; offset++) ring.push(published(offset));
    return ring;
  };

  test("gives each event the next number, and finds it under that", () => {
    const ring = new EventRing();
    expect(ring.next).toBe(0);
    ring.push(published(7));
    ring.push(published(8));
    expect(ring.next).toBe(2);
    expect([ring.at(0), ring.at(1)].map((event) => event?.position.offset)).toEqual([7, 8]);
    expect(ring.at(2)).toBeUndefined();
  });

  test("keeps its numbers when the oldest are dropped, and when all are", () => {
    const ring = ringOf(5);
    ring.dropBefore(3);
    expect(ring.length).toBe(2);
    expect([ring.at(2), ring.at(3)].map((event) => event?.position.offset)).toEqual([undefined, 4]);
    ring.dropBefore(100);
    expect([ring.length, ring.next]).toEqual([0, 5]);
    ring.push(published(6));
    expect(ring.at(5)?.position.offset).toBe(6);
  });

  test("drops nothing that was dropped before", () => {
    const ring = ringOf(5);
    ring.dropBefore(3);
    ring.dropBefore(1);
    expect(ring.length).toBe(2);
    expect(ring.at(3)?.position.offset).toBe(4);
  });

  test("says how much text waits from any number on, also after dropping", () => {
    const ring = new EventRing();
    expect(ring.waitingFrom(0)).toBe(0);
    for (const characters of [200, 300, 400]) ring.push(publishedOfLength(1, characters));
    expect([0, 1, 2, 3].map((sequence) => ring.waitingFrom(sequence))).toEqual([900, 700, 400, 0]);
    ring.dropBefore(1);
    expect([1, 2, 3].map((sequence) => ring.waitingFrom(sequence))).toEqual([700, 400, 0]);
    ring.dropBefore(3);
    expect(ring.waitingFrom(3)).toBe(0);
    ring.push(publishedOfLength(1, 500));
    expect([3, 4].map((sequence) => ring.waitingFrom(sequence))).toEqual([500, 0]);
  });
});
