import { describe, expect, test } from "bun:test";
import type { AnalysisId } from "../../../src/domain/channel.ts";
import { CombinedPosition } from "../../../src/domain/combined-position.ts";
import type { EventPosition } from "../../../src/domain/event-position.ts";

const id = (digit: number) => `00000000-0000-4000-8000-00000000000${digit}` as AnalysisId;
const at = (offset: number): EventPosition => ({ epoch: "k3j9x2ab01", offset });

describe("CombinedPosition", () => {
  test("SSM-3: reads what it wrote, whatever the order in which the analyses are named", () => {
    const positions = new Map([
      [id(1), at(7)],
      [id(3), at(12)],
    ]);
    const text = new CombinedPosition([id(3), id(1), id(2), id(1)]).format((one) => positions.get(one));
    expect(text).toMatch(/^[\w.,-]+$/);
    expect([...new CombinedPosition([id(2), id(1), id(3)]).read(text)]).toEqual([...positions]);
  });

  test("SSM-3: keeps the last position of an analysis whose position is not known any more", () => {
    const combined = new CombinedPosition([id(1), id(2)]);
    combined.format(() => at(5));
    const text = combined.format((one) => (one === id(1) ? at(6) : undefined));
    expect([...combined.read(text)]).toEqual([
      [id(1), at(6)],
      [id(2), at(5)],
    ]);
  });

  test("SSM-3: takes a position of another set, or nonsense, for one that is gone", () => {
    const combined = new CombinedPosition([id(1), id(2)]);
    const others = [new CombinedPosition([id(1)]), new CombinedPosition([id(1), id(3)])].map((other) =>
      other.format(() => at(1)),
    );
    for (const text of [...others, "k3j9x2ab01-7", "?", combined.format(() => undefined).replace(",", ",,")])
      expect([...combined.read(text).values()]).toEqual(["unreadable", "unreadable"]);
    expect(combined.read(combined.format(() => undefined).replace(",", "x,0")).get(id(1))).toBe("unreadable");
  });

  test("SSM-3: names the sets of a thousand clients apart", () => {
    const names = Array.from({ length: 1_000 }, () =>
      new CombinedPosition([crypto.randomUUID() as AnalysisId]).format(() => undefined),
    );
    expect(new Set(names).size).toBe(1_000);
  });
});
