import { describe, expect, test } from "bun:test";
import type { AnalysisState, WatchOptions } from "../../../src/client/watcher.ts";
import { emptyState } from "../../../src/domain/analysis-state.ts";
import { turn } from "../../support/turn.ts";
import { ScriptedGateway } from "./scripted-gateway.ts";
import { ANALYSIS, startWatch, status } from "./watch-bench.ts";

const stateAt = (last_event_id: string, fields: Partial<AnalysisState> = {}): AnalysisState => ({
  ...emptyState(ANALYSIS),
  status: "running",
  last_event_id,
  ...fields,
});

function startWithState(overrides: Partial<WatchOptions> = {}) {
  const gateway = new ScriptedGateway();
  const states: AnalysisState[] = [];
  const bench = startWatch({
    fetch: gateway.fetch,
    onState: (state) => {
      states.push(state);
      bench.log.push(`state ${state.status} ${state.last_event_id}`);
    },
    ...overrides,
  });
  return { ...bench, gateway, states };
}

const addressAt = (position: string) =>
  `wss://gateway.example/telltale/ws/analysis/${ANALYSIS}?last_event_id=${position}`;

describe("watchAnalysis() with the state", () => {
  test("SDK-6: reads the state with the same token, then watches from its last_event_id", async () => {
    const bench = startWithState();
    const request = await bench.gateway.next();
    expect(request.url).toBe(`https://gateway.example/telltale/v1/analyses/${ANALYSIS}`);
    expect(request.headers.get("Authorization")).toBe("Bearer a.b.c");
    expect(bench.sockets).toHaveLength(0);
    request.answer(200, stateAt("e-7"));
    const socket = await bench.next();
    expect(socket.url).toBe(addressAt("e-7"));
    socket.establish({ resumed: true });
    socket.serverSends(status("e-8"));
    expect(bench.log).toEqual(["connecting", "state running e-7", "live", "event e-8"]);
  });

  test("SDK-6: begins after the position given without reading a state, and reads one when that is gone", async () => {
    const bench = startWithState({ lastEventId: "0" });
    const socket = await bench.next();
    expect(socket.url).toBe(addressAt("0"));
    expect(bench.gateway.requests).toHaveLength(0);
    socket.establish({ resumed: false });
    bench.clock.advance(0);
    (await bench.gateway.next()).answer(200, stateAt("f-2"));
    expect((await bench.next()).url).toBe(addressAt("f-2"));
  });

  test("SDK-6: comes back from the last event seen, without reading the state again", async () => {
    const bench = startWithState();
    (await bench.gateway.next()).answer(200, stateAt("e-7"));
    const socket = await bench.next();
    socket.establish({ resumed: true });
    socket.serverSends(status("e-8"));
    socket.serverCloses(1006);
    bench.waitOut();
    expect((await bench.next()).url).toBe(addressAt("e-8"));
    expect(bench.gateway.requests).toHaveLength(1);
  });

  test("SDK-6: a history that was lost is read again, and only then followed", async () => {
    const bench = startWithState();
    (await bench.gateway.next()).answer(200, stateAt("e-7"));
    const first = await bench.next();
    first.establish({ resumed: true });
    bench.clock.advance(4_000);
    first.establish({ resumed: false });
    expect(first.closedWith).toBe(1000);
    bench.clock.advance(0);
    (await bench.gateway.next()).answer(200, stateAt("f-2"));
    expect((await bench.next()).url).toBe(addressAt("f-2"));
    expect(bench.log).toContain("restart");
    expect(bench.states.map(({ last_event_id }) => last_event_id)).toEqual(["e-7", "f-2"]);
  });

  const unreadable: [string, (gateway: ScriptedGateway) => Promise<void>][] = [
    ["is refused", async (gateway) => (await gateway.next()).answer(403, { code: "not_allowed" })],
    ["is cut off", async (gateway) => (await gateway.next()).cutOff()],
    ["is no state", async (gateway) => (await gateway.next()).answer(200, "<html>a proxy</html>")],
  ];
  test.each(unreadable)(
    "SDK-6: a state that %s holds nothing up: the socket says what is wrong",
    async (_, answer) => {
      const bench = startWithState();
      await answer(bench.gateway);
      (await bench.next()).serverCloses(4003, "not allowed");
      expect(bench.status()).toEqual({ kind: "refused", code: 4003, reason: "not allowed" });
    },
  );

  test("SDK-6: a state that never comes is given up after ten seconds", async () => {
    const bench = startWithState();
    const request = await bench.gateway.next();
    bench.clock.advance(10_000);
    expect(request.init.signal?.aborted).toBe(true);
    expect((await bench.next()).url).not.toContain("last_event_id");
  });

  test("SDK-6: if the state can never be had, events come all the same, after two more tries", async () => {
    const bench = startWithState();
    for (let tries = 0; tries < 3; tries += 1) {
      (await bench.gateway.next()).cutOff();
      (await bench.next()).establish();
      bench.clock.advance(3_000);
    }
    expect(bench.status()).toEqual({ kind: "live" });
    bench.sockets.at(-1)?.serverSends(status("e-1"));
    expect(bench.events).toHaveLength(1);
  });

  test.each(["state_changed", "cancel_requested"])(
    "SDK-7: %s makes it read the state, and nothing else does",
    async (event_type) => {
      const bench = startWithState();
      (await bench.gateway.next()).answer(200, stateAt("e-7"));
      const socket = await bench.next();
      socket.establish({ resumed: true });
      socket.serverSends(status("e-8"));
      bench.clock.advance(14_000);
      expect(bench.gateway.requests).toHaveLength(1);
      socket.serverSends({ event_type, analysis_id: ANALYSIS });
      (await bench.gateway.next()).answer(200, stateAt("e-8", { status: "stalled" }));
      await settled();
      expect(bench.log.at(-1)).toBe("state stalled e-8");
      bench.watch.close();
      expect(bench.clock.pending).toBe(0);
    },
  );

  test("SDK-7: a state of another position than the one seen is left alone", async () => {
    const bench = startWithState();
    (await bench.gateway.next()).answer(200, stateAt("e-7"));
    const socket = await bench.next();
    socket.establish({ resumed: true });
    socket.serverSends({ event_type: "state_changed", analysis_id: ANALYSIS });
    (await bench.gateway.next()).answer(200, stateAt("e-9"));
    await settled();
    expect(bench.states).toHaveLength(1);
  });
});

/** Resolves when every answer has been read. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await turn();
}
