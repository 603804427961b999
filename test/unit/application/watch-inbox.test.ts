import { describe, expect, test } from "bun:test";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import type { InboxBacklog } from "../../../src/application/ports/inbox-port.ts";
import { WatchInbox } from "../../../src/application/watch-inbox.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";

function watching() {
  const clock = new ManualClock();
  let backlog: () => Promise<InboxBacklog> = async () => ({ entries: 0, oldest: undefined });
  const watch = new WatchInbox({ backlog: () => backlog() }, clock);
  return {
    watch,
    /** Looks after so many milliseconds, and finds this. */
    look: async (afterMs: number, found: InboxBacklog | Error) => {
      clock.advance(afterMs);
      backlog = async () => {
        if (found instanceof Error) throw found;
        return found;
      };
      await watch.execute();
      return watch.health;
    },
  };
}

const waiting = (id: string, ageMs?: number): InboxBacklog => ({ entries: 3, oldest: { id, ageMs } });

describe("WatchInbox", () => {
  test("says how long the oldest entry has waited by the broker's clock", async () => {
    const { look } = watching();
    expect(await look(0, waiting("a", 7_000))).toEqual({ status: "up", entries: 3, oldestAgeMs: 7_000 });
  });

  test("counts from when it first found the entry if the broker does not know its age", async () => {
    const { look } = watching();
    expect(await look(0, waiting("5-1"))).toMatchObject({ status: "up", oldestAgeMs: 0 });
    expect(await look(2_000, waiting("5-1"))).toMatchObject({ status: "up", oldestAgeMs: 2_000 });
    expect(await look(2_000, waiting("5-2"))).toMatchObject({ status: "up", oldestAgeMs: 0 });
    expect(await look(2_000, { entries: 0, oldest: undefined })).toMatchObject({ oldestAgeMs: undefined });
  });

  test("counts so too if that is longer than what the broker knows, as for an id that lies ahead", async () => {
    const { look } = watching();
    await look(0, waiting("a", 0));
    expect(await look(20_000, waiting("a", 0))).toMatchObject({ status: "up", oldestAgeMs: 20_000 });
  });

  test("says stuck once the same entry has been the oldest for 30 s, and counts anew after a failure", async () => {
    const { look } = watching();
    await look(0, waiting("a", 0));
    expect(await look(29_999, waiting("a", 29_999))).toMatchObject({ status: "up" });
    expect(await look(1, waiting("a", 30_000))).toMatchObject({ status: "stuck" });
    expect(await look(1_000, new BrokerUnavailable("away"))).toMatchObject({ status: "down", cause: "away" });
    expect(await look(1_000, waiting("a", 32_000))).toMatchObject({ status: "up" });
  });

  test("knows nothing before its first look", () => {
    expect(watching().watch.health).toEqual({ status: "unknown" });
  });
});
