import { describe, expect, test } from "bun:test";
import type { ControlKind } from "../../../src/application/ports/client-connection-port.ts";
import { StreamWait } from "../../../src/session/stream-wait.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { turn } from "../../support/turn.ts";

const NEWS = {
  kind: "analysis_state",
  text: "",
  position: { epoch: "e", offset: 1 },
  hasEnded: false,
} as const;
const control = (kind: ControlKind) => ({ kind, text: "" });

describe("SSM-8: a stream that waits", () => {
  const waiting = (ids: readonly string[]) => {
    const clock = new ManualClock();
    let ends = 0;
    const wait = new StreamWait(clock, ids, 20_000, () => {
      ends += 1;
    });
    return { clock, wait, ends: () => ends };
  };

  test("ends after news and the replays of all analyses, in either order", () => {
    const { clock, wait, ends } = waiting(["one", "other"]);
    wait.sent(NEWS);
    wait.settled("one");
    clock.advance(1_000);
    expect(ends()).toBe(0);
    wait.settled("other");
    clock.advance(50);
    expect(ends()).toBe(1);
  });

  test("does not end for announcements that come with a replay, but for later ones", async () => {
    const { clock, wait, ends } = waiting(["one"]);
    wait.sent(control("subscribed"));
    wait.settled("one");
    wait.sent(control("state_changed"));
    await turn();
    clock.advance(1_000);
    expect(ends()).toBe(0);
    wait.sent(control("cancel_requested"));
    clock.advance(50);
    expect(ends()).toBe(1);
  });

  test("ends for a refusal, and in time without any news", () => {
    const refused = waiting(["one"]);
    refused.wait.sent(control("subscription_refused"));
    refused.wait.settled("one");
    refused.clock.advance(50);
    expect(refused.ends()).toBe(1);
    const silent = waiting(["one"]);
    silent.clock.advance(20_000);
    expect(silent.ends()).toBe(1);
  });

  test("does not end once more after its connection has", () => {
    const { clock, wait, ends } = waiting(["one"]);
    wait.sent(NEWS);
    wait.settled("one");
    wait.end();
    clock.advance(60_000);
    expect(ends()).toBe(0);
  });
});
