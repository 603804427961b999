import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../../src/testing/eventually.ts";
import { resultUpdate, statusUpdate } from "../support/publishing.ts";
import type { WorkerConnection } from "../support/staged-broker.ts";
import type { CommonFault } from "./kinds.ts";
import type { Fate, Lane, SentEvent } from "./ledger.ts";
import type { Round } from "./round.ts";
import { SocketWatcher } from "./watchers.ts";

/** Faults that clients and publishers cause. */
export const trafficFaults: readonly CommonFault[] = [
  {
    name: "garbage and oversize on the channels",
    rounds: 25,
    strike: async (round) => {
      await throwGarbage(round);
      await round.recovers();
    },
  },
  {
    name: "burst of all the events that the broker is meant for",
    rounds: 5,
    ownTraffic: true,
    strike: burst,
  },
  {
    name: "10,000 connections come and go",
    rounds: 12,
    strike: async (round) => {
      await churn(round, 10_000);
      await round.recovers();
    },
  },
  {
    name: "watched and left, again and again",
    rounds: 25,
    strike: async (round) => {
      await watchAndLeave(round);
      await round.recovers();
    },
  },
];

const MANY_BYTES = 1024 * 1024 + 1;

/** None of it reaches anybody, and each is kept as a dead letter once. */
async function throwGarbage(round: Round): Promise<void> {
  const { broker } = round.stage;
  const worker = broker.connectWorker(broker);
  round.afterwards(async () => worker.close());
  const lane = broker.lanes[0];
  if (lane === undefined) return;
  await untilTaken(worker, round);
  const before = await broker.deadLetters();
  const [analysisId = ""] = round.analysisIds;
  const mark = crypto.randomUUID();
  const valid = statusUpdate({ message: mark, analysis_id: lane === "inbox" ? analysisId : undefined });
  const garbage: (string | Uint8Array)[] = [
    mark,
    `{"mark":"${mark}"`,
    Buffer.concat([Buffer.from([0xff, 0xfe, 0]), Buffer.from(mark)]),
    JSON.stringify({ ...valid, progress: 7 }),
    JSON.stringify({ ...valid, event_type: "heartbeat" }),
    JSON.stringify({ ...valid, ballast: "x".repeat(MANY_BYTES) }),
    JSON.stringify({ ...valid, current_stage: "nowhere" }),
    JSON.stringify({ ...valid, progress: 0.5, analysis_id: lane === "inbox" ? 7 : crypto.randomUUID() }),
    JSON.stringify({ ...valid, progress: "NaN" }).replace('"NaN"', "NaN"),
    "[".repeat(100_000) + mark,
  ];
  const answers = [
    ...(await Promise.all(garbage.map((payload) => worker.publish(lane, analysisId, payload)))),
    await worker.publish(lane, "no-uuid", JSON.stringify({ ...valid, analysis_id: `${mark} no uuid` })),
    await worker.publish("inbox", "", `${mark} in the inbox`),
  ];
  // A broker may refuse a message that is too large for it.
  const all = answers.filter((answer) => answer === "taken").length;
  await eventually("all of it is a dead letter", async () => (await broker.deadLetters()) >= before + all);
  await pause(300);
  const kept = (await broker.deadLetters()) - before;
  // At most 10,000 are kept: then nothing can be said of the number.
  if (kept !== all && before < 9_000) {
    round.faults.push({ name: "double", what: `${all} wrong messages are ${kept} dead letters` });
  }
}

/** A connection that was just made may not be there yet. */
async function untilTaken(worker: WorkerConnection, round: Round): Promise<void> {
  if (!round.stage.broker.lanes.includes("inbox")) return;
  const analysisId = crypto.randomUUID();
  const first = JSON.stringify(statusUpdate({ analysis_id: analysisId, message: "the first" }));
  await eventually("a worker is connected", async () =>
    ["taken", "nobody"].includes(await worker.publish("inbox", analysisId, first)),
  );
  await round.untilSeen(1);
}

const BURST_ANALYSES = 20;
const BATCH = 500;
const RETRY_MS = 500;
const MOST_TRIES = 20;

/** Very many events at once, over every way in; two watchers on each of the analyses. */
async function burst(round: Round): Promise<void> {
  const { stage } = round;
  const ids = Array.from({ length: BURST_ANALYSES }, () => crypto.randomUUID());
  for (const [index, analysisId] of ids.entries()) {
    round.analysisIds.push(analysisId);
    for (const seat of [0, 1]) {
      round.watch(
        new SocketWatcher({
          ...round.watching(analysisId, `socket-${seat}`, seat),
          base: stage.seats[seat]?.directUrl ?? "",
        }),
      );
    }
    if (index % 4 === 0)
      round.watch(new SocketWatcher({ ...round.watching(analysisId, "conflated", 0), conflated: true }));
  }
  const worker = stage.broker.connectWorker(stage.broker);
  round.afterwards(async () => worker.close());
  await untilTaken(worker, round);
  const ways: readonly Lane[] = ["http", ...stage.broker.lanes, "http"];
  const each = stage.broker.burst / BURST_ANALYSES;
  const began = performance.now();
  await Promise.all(
    ids.map(async (analysisId, index) => {
      const lane = ways[index % ways.length] ?? "http";
      const event = (sequence: number) => ({
        ...(sequence >= each ? resultUpdate() : statusUpdate({ message: `${lane} ${sequence}` })),
        ...{ analysis_id: analysisId, publisher: lane, sequence },
      });
      const url = `${stage.seats[index % 2]?.directUrl}/v1/analyses/${analysisId}/events`;
      let sent = 0;
      let last: Fate = "unknown";
      // A busy machine may be behind so far that nobody takes some of them: one terminal event more then ends the watch.
      while (sent < each || last !== "acknowledged") {
        const sentAt = performance.now();
        const batch = Array.from({ length: Math.max(1, Math.min(BATCH, each - sent)) }, () => event(++sent));
        const settled: readonly Settled[] =
          lane === "http"
            ? await postUntilTaken(url, stage.token, JSON.stringify(batch))
            : await Promise.all(
                batch.map(async (one) => fateOf(await worker.publish(lane, analysisId, JSON.stringify(one)))),
              );
        const settledAt = performance.now();
        for (const [at, { sequence }] of batch.entries()) {
          const { fate, eventId } = settled[at] ?? { fate: "unknown" };
          last = fate;
          round.ledger.sent.push({
            ...{ lane, analysisId, publisher: lane, sequence, sentAt, settledAt, fate, eventId },
            terminal: sequence >= each,
            tries: 1,
          });
        }
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  round.notes.push(`sent in ${seconds.toFixed(1)} s`);
}

type Settled = Pick<SentEvent, "fate"> & Partial<Pick<SentEvent, "eventId">>;

function fateOf(answer: Awaited<ReturnType<WorkerConnection["publish"]>>): Settled {
  return { fate: answer === "taken" ? "acknowledged" : "unknown" };
}

/** As a publisher does: after a 503, which a burst on a busy machine may get, it sends the same again. */
async function postUntilTaken(url: string, token: string, body: string): Promise<Settled[]> {
  const headers = { Authorization: `Bearer ${token}`, "Idempotency-Key": crypto.randomUUID() };
  for (let tries = 1; ; tries++) {
    const answer = await fetch(url, { method: "POST", headers, body });
    if (answer.status === 202) {
      const { event_ids } = (await answer.json()) as { event_ids: string[] };
      return event_ids.map((eventId) => ({ fate: "acknowledged", eventId }));
    }
    if (answer.status !== 503 || tries === MOST_TRIES)
      throw new Error(`answered ${answer.status}: ${await answer.text()}`);
    await answer.text();
    await pause(RETRY_MS);
  }
}

/** Half of the connections leave before they were let in, and half after the first frame. */
async function churn(round: Round, connections: number): Promise<void> {
  const { stage } = round;
  const atOnce = 200;
  for (let made = 0; made < connections; made += atOnce) {
    const lot = Array.from({ length: atOnce }, (_, index) => {
      const analysisId = round.analysisIds[index % round.analysisIds.length];
      const base = stage.seats[index % 2]?.directUrl.replace("http", "ws");
      return comeAndGo(`${base}/ws/analysis/${analysisId}?token=${stage.token}`, index % 4 < 3);
    });
    await Promise.all(lot);
  }
  await eventually("nobody of them is counted any more", async () => {
    const left = await connectionsOf(round);
    // Those of the traffic itself, which come and go as well.
    return left <= round.watchers.length + 10;
  });
}

function comeAndGo(url: string, waits: boolean): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.addEventListener("close", () => resolve());
    socket.addEventListener("error", () => {});
    socket.addEventListener(waits ? "message" : "open", () => socket.close(1000), { once: true });
  });
}

async function connectionsOf({ stage }: Round): Promise<number> {
  const counts = await Promise.all(
    stage.seats.map(async ({ directUrl }) => {
      const health = (await (await fetch(`${directUrl}/ws/health`)).json()) as {
        websocket_stats: { total_connections: number };
      };
      return health.websocket_stats.total_connections;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** On a channel of its own: in the end nobody is subscribed to it, and every event was delivered to whoever stayed. */
async function watchAndLeave(round: Round): Promise<void> {
  const { stage } = round;
  const analysisId = round.addAnalysis(["http"], 5);
  const quiet = crypto.randomUUID();
  const url = (index: number, id: string) =>
    `${stage.seats[index % 2]?.directUrl.replace("http", "ws")}/ws/analysis/${id}?token=${stage.token}`;
  for (let lot = 0; lot < 10; lot++) {
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        comeAndGo(url(index, index % 2 === 0 ? quiet : analysisId), (index + lot) % 3 > 0),
      ),
    );
  }
  const { listenersOf } = stage.broker;
  if (listenersOf === undefined) return;
  await eventually(
    "nobody is subscribed to what nobody watches",
    async () => (await listenersOf(quiet)) === 0,
  );
}
