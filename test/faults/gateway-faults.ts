import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../../src/testing/eventually.ts";
import { startGateway } from "../support/gateway-process.ts";
import { statusUpdate } from "../support/publishing.ts";
import type { FaultKind } from "./kinds.ts";
import type { Round } from "./round.ts";
import type { Seat } from "./stage.ts";
import { SocketWatcher } from "./watchers.ts";

/** Long enough for what was heard to be stored. */
const A_MOMENT_MS = 300;

/** Faults of a gateway. */
export const gatewayFaults: readonly FaultKind[] = [
  {
    name: "gateway killed with 1,000 clients",
    stage: "durable",
    rounds: 25,
    strike: async (round) => {
      const [analysisId = ""] = round.analysisIds;
      for (let index = 0; index < 1000; index++) {
        round.watch(
          new SocketWatcher({ ...round.watching(analysisId, `crowd-${index}`, 1), patienceMs: 5_000 }),
        );
        if (index % 100 === 99) await pause(20);
      }
      await round.untilSeen(2);
      const [, seat] = round.stage.seats;
      await seat.kill9();
      await pause(200 * round.random());
      await seat.startAgain();
      await round.recovers();
    },
  },
  {
    name: "gateway killed",
    stage: "durable",
    rounds: 40,
    strike: async (round) => {
      const seat = round.eitherSeat();
      await seat.kill9();
      await pause(200 * round.random());
      await seat.startAgain();
      await round.recovers();
    },
  },
  {
    name: "all gateways killed",
    stage: "durable",
    rounds: 20,
    strike: async (round) => {
      const from = performance.now() - A_MOMENT_MS;
      await Promise.all(round.stage.seats.map((seat) => seat.kill9()));
      // Nobody hears a worker now; the entries that it adds to the inbox wait there.
      round.excuse({ from, to: performance.now(), lanes: ["bare"] });
      await pause(500 * round.random());
      await Promise.all(round.stage.seats.map((seat) => seat.startAgain()));
      await round.recovers();
    },
  },
  {
    name: "gateway restarted",
    stage: "durable",
    rounds: 30,
    strike: async (round) => {
      const seat = round.eitherSeat();
      const code = await seat.stop();
      if (code !== 0) round.faults.push({ name: "answer", what: `the drain ended with ${code}` });
      await seat.startAgain();
      await round.recovers();
    },
  },
  {
    name: "gateway frozen for 15 s",
    stage: "durable",
    rounds: 5,
    strike: async (round) => {
      round.ledger.answersMayBeLate = true;
      const seat = round.eitherSeat();
      seat.freeze();
      await pause(15_000);
      seat.thaw();
      await round.recovers();
    },
  },
  {
    name: "frozen gateway cut by the output limit",
    stage: "durable",
    rounds: 15,
    strike: async (round) => {
      const { admin, redis, seats } = round.stage;
      await admin.config("SET", "client-output-buffer-limit", "pubsub 1mb 0 0");
      round.afterwards(() => admin.config("SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60"));
      // Without a proxy between, which would take in whatever Redis sends.
      const guest = await startGateway({
        ...{ REDIS_URL: redis.url, LISTEN: "none", HISTORY_SIZE: "200000" },
      });
      round.afterwards(() => guest.kill9());
      const flood = new Flood(round, seats[0]);
      const watcher = new SocketWatcher({
        ...round.watching(flood.analysisId, "guest", 0),
        base: guest.url,
      });
      round.watch(watcher);
      await flood.post(1);
      await eventually("the guest hears", async () => watcher.sightings[0]?.held.length === 1);
      const listeners = async () =>
        String(await admin.call("CLIENT", "LIST", "TYPE", "pubsub"))
          .trim()
          .split("\n").length;
      const before = await listeners();
      process.kill(guest.pid, "SIGSTOP");
      while ((await listeners()) >= before && flood.sent < 2_000) await flood.post(20);
      if (flood.sent >= 2_000) round.faults.push({ name: "answer", what: "the limit was never reached" });
      process.kill(guest.pid, "SIGCONT");
      round.notes.push(`cut after ${flood.sent} events`);
      await round.recovers();
    },
  },
];

const BALLAST = "x".repeat(20_000);

/** Large events to an analysis that only the guest watches. */
class Flood {
  readonly analysisId = crypto.randomUUID();
  readonly #round: Round;
  readonly #seat: Seat;
  sent = 0;

  constructor(round: Round, seat: Seat) {
    this.#round = round;
    this.#seat = seat;
    round.analysisIds.push(this.analysisId);
  }

  async post(events: number): Promise<void> {
    const batch = Array.from({ length: events }, () => {
      const sequence = ++this.sent;
      return {
        ...statusUpdate({ message: `flood ${sequence}` }),
        publisher: "flood",
        sequence,
        ballast: BALLAST,
      };
    });
    const answer = await fetch(`${this.#seat.directUrl}/v1/analyses/${this.analysisId}/events`, {
      method: "POST",
      headers: { Authorization: `Bearer ${this.#round.stage.token}` },
      body: JSON.stringify(batch),
    });
    if (answer.status !== 202) this.#round.faults.push({ name: "answer", what: `answered ${answer.status}` });
  }
}
