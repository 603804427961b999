import { describe, expect, test } from "bun:test";
import type { DeadLetterPort } from "../../../src/application/ports/dead-letter-port.ts";
import { notingRefusals, RecentRefusals } from "../../../src/application/recent-refusals.ts";

const ID = "0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11";

describe("RecentRefusals", () => {
  test("keeps the 500 analyses that were refused last, each with its last reason", () => {
    const refusals = new RecentRefusals();
    const idOf = (number: number) => `${String(number).padStart(8, "0")}${ID.slice(8)}`;
    refusals.note(`analysis:${ID}`, "first");
    for (let number = 0; number < 499; number += 1) refusals.note(`analysis:${idOf(number)}`, "x");
    refusals.note(`analysis:${ID}`, "second");
    refusals.note(`analysis:${idOf(499)}`, "x");
    expect(refusals.of(ID)).toEqual({ count: 2, reason: "second" });
    expect(refusals.of(idOf(0)).count).toBe(0);
    expect(refusals.of(idOf(1)).count).toBe(1);
  });

  test("keeps no long reason, and nothing of a channel that names no analysis", () => {
    const refusals = new RecentRefusals();
    refusals.note(`analysis:${ID}`, "x".repeat(5_000));
    refusals.note("analysis:job-42", "no");
    refusals.note("user:alice", "no");
    expect(refusals.of(ID).reason).toHaveLength(300);
    expect(refusals.of("job-42").count).toBe(0);
  });

  test("counts a dead letter when it was kept, not when it could not be", async () => {
    let away = true;
    const kept: unknown[] = [];
    const port = {
      keep: async (deadLetter: unknown) => {
        if (away) throw new Error("away");
        kept.push(deadLetter);
      },
    } as unknown as DeadLetterPort;
    const refusals = new RecentRefusals();
    const deadLetters = notingRefusals(port, refusals);
    const deadLetter = { channel: `analysis:${ID}`, payload: "{", reason: "not_json" };
    await expect(deadLetters.keep(deadLetter)).rejects.toThrow("away");
    expect(refusals.of(ID).count).toBe(0);
    away = false;
    await deadLetters.keep(deadLetter);
    expect(refusals.of(ID)).toEqual({ count: 1, reason: "not_json" });
    expect(kept).toEqual([deadLetter]);
  });
});
