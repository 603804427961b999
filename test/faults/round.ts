import { setTimeout as pause } from "node:timers/promises";
import { type Excuse, type Lane, Ledger } from "./ledger.ts";
import { type Fault, judgeAnalysis, type ReadState, readLog, readState } from "./oracle.ts";
import { Publisher } from "./publishers.ts";
import { Payloads, type Seen } from "./sighting.ts";
import type { Seat, Stage } from "./stage.ts";
import {
  ManyWatcher,
  PollWatcher,
  ShippedWatcher,
  SocketWatcher,
  StreamWatcher,
  type Watcher,
  type WatcherOptions,
} from "./watchers.ts";

const CONVERGED_WITHIN_MS = 30_000;
const LOOK_AGAIN_MS = 50;

/** The traffic that a round looked at, and the faults that it found. */
export interface RoundReport {
  readonly faults: readonly Fault[];
  readonly events: number;
  readonly terminals: number;
  readonly watchers: number;
  readonly deliveries: number;
  readonly restarts: number;
  readonly notes: readonly string[];
}

/** Running traffic, watched in every way there is, that a fault is thrown into. */
export class Round {
  readonly stage: Stage;
  readonly random: () => number;
  readonly ledger = new Ledger();
  readonly payloads = new Payloads();
  readonly analysisIds: string[] = [];
  readonly publishers: Publisher[] = [];
  readonly watchers: Watcher[] = [];
  readonly notes: string[] = [];
  /** The faults that a kind finds by itself. */
  readonly faults: Fault[] = [];
  readonly #logs = new Map<string, readonly Seen[]>();
  readonly #finishing: Publisher[] = [];
  readonly #busy = new Set<string>();
  readonly #afterwards: (() => Promise<unknown>)[] = [];

  constructor(stage: Stage, random: () => number) {
    this.stage = stage;
    this.random = random;
  }

  /** From one of the ways in each an analysis, and one from two of them at once; all of them watched. */
  async begin(everyMs = 12): Promise<void> {
    const { lanes } = this.stage.broker;
    const first = lanes.slice(0, 1);
    for (const ways of [["http"], ...lanes.map((lane) => [lane]), ["http", ...first]] as Lane[][]) {
      this.addAnalysis(ways, everyMs);
    }
    for (const seat of [0, 1]) {
      this.watch(
        new ManyWatcher({ ...this.watching("", `many-${seat}`, seat), ...patient(seat) }, this.analysisIds),
      );
    }
    await this.untilSeen(3 + Math.floor(15 * this.random()));
  }

  addAnalysis(lanes: readonly Lane[], everyMs: number): string {
    const analysisId = crypto.randomUUID();
    this.analysisIds.push(analysisId);
    for (const [index, lane] of lanes.entries()) {
      const publisher = new Publisher({
        ...{ stage: this.stage, ledger: this.ledger, lane, analysisId, everyMs },
        name: `${lane}-${index}`,
        random: this.random,
      });
      this.publishers.push(publisher);
      this.#busy.add(analysisId);
      if (index === 0) this.#finishing.push(publisher);
      publisher.start();
    }
    for (const seat of [0, 1]) {
      const named = (name: string) => ({
        ...this.watching(analysisId, `${name}-${seat}`, seat),
        ...patient(seat),
      });
      this.watch(new SocketWatcher(named("socket")));
      this.watch(new StreamWatcher({ ...named("stream"), patienceMs: 18_000 }));
    }
    this.watch(
      new SocketWatcher({ ...this.watching(analysisId, "conflated", 0), patienceMs: 3_000, conflated: true }),
    );
    const hopMs = () => 100 + 500 * this.random();
    this.watch(new SocketWatcher({ ...this.watching(analysisId, "hopping", 1), patienceMs: 3_000, hopMs }));
    this.watch(new PollWatcher({ ...this.watching(analysisId, "polling", 1), patienceMs: 6_000 }));
    this.watch(new ShippedWatcher(this.watching(analysisId, "shipped", 0)));
    return analysisId;
  }

  watching(analysisId: string, name: string, seat: number): WatcherOptions {
    return { stage: this.stage, payloads: this.payloads, analysisId, name, seat };
  }

  watch(watcher: Watcher): void {
    this.watchers.push(watcher);
    watcher.start();
  }

  /** Somebody who comes in the middle of it, on both gateways. */
  joinLate(): void {
    for (const analysisId of this.#busy) {
      for (const seat of [0, 1]) {
        const options = { ...this.watching(analysisId, `late-${seat}`, seat), patienceMs: 3_000 };
        this.watch(new SocketWatcher({ ...options, fetchFirst: true }));
      }
    }
  }

  excuse(excuse: Excuse): void {
    this.ledger.excuses.push(excuse);
  }

  /** No gateway may have heard what workers published then, which only some brokers keep. */
  nobodyHeard(from: number, to: number): void {
    if (!this.stage.broker.keepsBareMessages) this.excuse({ from, to, lanes: ["bare"] });
  }

  /** Until each watcher has so many events more than now. */
  async untilSeen(events: number): Promise<void> {
    const sightings = this.watchers
      .flatMap((watcher) => watcher.sightings)
      .filter(({ analysisId }) => this.#busy.has(analysisId));
    const before = new Map(sightings.map((sighting) => [sighting, sighting.deliveries]));
    const deadline = performance.now() + CONVERGED_WITHIN_MS;
    const behind = () =>
      sightings.filter((sighting) => sighting.deliveries < (before.get(sighting) ?? 0) + events);
    while (behind().length > 0) {
      if (performance.now() > deadline) {
        const [one] = behind();
        throw new Error(`no traffic: ${behind().length} of ${sightings.length} behind, as ${one?.watcher}`);
      }
      await pause(LOOK_AGAIN_MS);
    }
  }

  /** Whole again: others join, and traffic flows to everybody. */
  async recovers(): Promise<void> {
    this.joinLate();
    await this.stage.untilReady();
    await this.untilSeen(5);
  }

  eitherSeat(): Seat {
    return this.stage.seats[this.random() < 0.5 ? 0 : 1];
  }

  /** To be undone once the round is judged, the last first. */
  afterwards(undo: () => Promise<unknown>): void {
    this.#afterwards.push(undo);
  }

  /** Ends the traffic with terminals, and holds every watcher against the log within 30 s. */
  async end(): Promise<RoundReport> {
    await Promise.all(this.publishers.map((publisher) => publisher.stop()));
    await Promise.all(this.#finishing.map((publisher) => publisher.finish()));
    for (const publisher of this.publishers) publisher.leave();
    const deadline = performance.now() + CONVERGED_WITHIN_MS;
    let wrong = await this.#judge();
    while (wrong.length > 0 && performance.now() < deadline) {
      await pause(LOOK_AGAIN_MS + wrong.length);
      wrong = await this.#judge();
    }
    await this.leave();
    return this.report(wrong);
  }

  async leave(): Promise<void> {
    for (const watcher of this.watchers) watcher.leave();
    for (const publisher of this.publishers) publisher.leave();
    for (const undo of this.#afterwards.splice(0).reverse()) await undo();
  }

  /** Everything that was sent, kept and seen, for a reader who looks for the cause. */
  record(): unknown {
    return {
      excuses: this.ledger.excuses,
      counts: this.ledger.counts,
      analyses: this.analysisIds.map((analysisId) => ({
        analysisId,
        sent: this.ledger.of(analysisId),
        log: this.#logs.get(analysisId),
        sightings: this.watchers.flatMap(({ sightings }) =>
          sightings
            .filter((sighting) => sighting.analysisId === analysisId)
            .map(({ watcher, start, base, held, lost, faults }) => ({
              ...{ watcher, start, base, faults },
              held: held.map(({ id }) => id),
              lost: lost.map((one) => ({ base: one.base, held: one.held.map(({ id }) => id) })),
            })),
        ),
      })),
    };
  }

  async #judge(): Promise<Fault[]> {
    const faults: Fault[] = [];
    const sightings = this.watchers.flatMap((watcher) => watcher.sightings);
    for (const analysisId of this.analysisIds) {
      const own = sightings.filter((sighting) => sighting.analysisId === analysisId);
      const states = await this.#states(analysisId);
      if (typeof states === "string") {
        faults.push({ name: "not_converged", what: states });
        continue;
      }
      const [state, other] = states;
      const behind = own.find(({ position }) => (position ?? "0") !== state.last_event_id);
      if (state.last_event_id !== other.last_event_id) {
        faults.push({
          name: "not_converged",
          what: `${state.last_event_id} here, ${other.last_event_id} there`,
        });
        continue;
      }
      if (behind !== undefined) {
        const what = `${analysisId}: ${behind.watcher} (${behind.start}) at ${behind.position}, not ${state.last_event_id}`;
        faults.push({ name: "not_converged", what });
        continue;
      }
      const log = await this.#log(analysisId);
      if (typeof log === "string") faults.push({ name: "not_converged", what: log });
      else {
        this.#logs.set(analysisId, log);
        const sent = this.ledger.of(analysisId);
        const found = judgeAnalysis({ log, state }, own, this.ledger, sent, this.payloads, analysisId);
        faults.push(...found.map(({ name, what }) => ({ name, what: `${analysisId} ${what}` })));
      }
    }
    return faults;
  }

  async #states(analysisId: string): Promise<readonly [ReadState, ReadState] | string> {
    const { seats, token } = this.stage;
    try {
      const [a, b] = seats;
      return await Promise.all([
        readState(a.directUrl, token, analysisId),
        readState(b.directUrl, token, analysisId),
      ]);
    } catch (error) {
      return `no state: ${(error as Error).message}`;
    }
  }

  async #log(analysisId: string): Promise<readonly Seen[] | string> {
    const seat = this.random() < 0.5 ? this.stage.seats[0] : this.stage.seats[1];
    try {
      const log = await readLog(seat.directUrl, this.stage.token, analysisId);
      this.#logs.set(analysisId, log);
      return log;
    } catch (error) {
      return `no log: ${(error as Error).message}`;
    }
  }

  report(wrong: readonly Fault[]): RoundReport {
    const sightings = this.watchers.flatMap((watcher) => watcher.sightings);
    const seenWrong = sightings.flatMap((sighting) =>
      sighting.faults.map((what) => ({
        name: what.includes("came twice") ? ("double" as const) : ("disorder" as const),
        what: `${sighting.analysisId} ${sighting.watcher}: ${what}`,
      })),
    );
    const faults: Fault[] = [
      ...wrong,
      ...seenWrong,
      ...this.faults,
      ...this.payloads.faults.map((what) => ({ name: "two_payloads" as const, what })),
      ...this.ledger.faults.map((what) => ({ name: "answer" as const, what })),
    ];
    const { sent } = this.ledger;
    return {
      faults,
      events: sent.length,
      terminals: sent.filter(({ terminal }) => terminal).length,
      watchers: sightings.length,
      deliveries: sightings.reduce((sum, { deliveries }) => sum + deliveries, 0),
      restarts: sightings.reduce((sum, { lost }) => sum + lost.length, 0),
      notes: this.notes,
    };
  }
}

/** The first of two trusts its connection for ever, the second goes elsewhere after 3 s of silence. */
function patient(seat: number): { patienceMs?: number } {
  return seat === 0 ? {} : { patienceMs: 3_000 };
}
