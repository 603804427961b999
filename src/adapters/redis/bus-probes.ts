import { reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { Listening } from "../../application/ports/worker-channel-port.ts";
import { BusPaths } from "./bus-paths.ts";
import type { RedisPrimary } from "./slot-owners.ts";

interface BusProbesOptions {
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly primaries: () => readonly RedisPrimary[];
  /** Publishes on the channel of the probes at this primary, over another connection. */
  readonly publishAt: (primary: RedisPrimary, text: string) => Promise<unknown>;
  /** Called every two seconds, before the next round of probes. */
  readonly onTick: () => void;
}

const PROBE_EVERY_MS = 2_000;
/** A gateway that listens has answered a newcomer so long after that one heard its own greeting. */
const ANSWER_MS = 1_000;
/** A primary that took no greeting is asked again after so long. */
const GREET_AGAIN_MS = 100;
/** After an answer it gathers the newcomers of so long, and answers all of them at once. */
const GATHER_MS = 50;
/** A gateway that was not heard for so long does not listen any more. */
const GONE_MS = 2.5 * PROBE_EVERY_MS;
const HELLO = "hello";
const PROBE = /^bus (\S+) (\d+) (\d+) (\S+)$/;
/** An answer to a newcomer belongs to no round, and to no primary. */
const NO_ROUND = 0;
const NO_PRIMARY = "-";

/**
 * Finds out whether the connections of a gateway that listen hear what the primaries of a Cluster take, each by its own link
 * of the bus. Every two seconds it publishes a probe through every primary. Its probes tell the other gateways that it
 * listens: how many connections a primary sent something to says nothing about those at other primaries.
 */
export class BusProbes implements Listening {
  readonly since: number;
  newcomer: boolean | undefined;
  readonly #options: BusProbesOptions;
  readonly #node = crypto.randomUUID();
  readonly #stop: () => void;
  readonly #connections = new Set<BusPaths>();
  #round = NO_ROUND;
  /** The greetings since the last answer, while they are gathered. */
  #greeted: Set<string> | undefined;
  #otherHeardAt: number | undefined;
  #closed = false;

  /** Make it when the gateway begins to hear. */
  constructor(options: BusProbesOptions) {
    this.#options = options;
    const { clock } = options;
    this.since = clock.now();
    this.#stop = clock.every(PROBE_EVERY_MS, () => {
      options.onTick();
      this.publish();
    });
    for (const primary of options.primaries()) void this.#greet(primary);
  }

  get others(): boolean | undefined {
    if (this.#otherHeardAt !== undefined && this.#now - this.#otherHeardAt < GONE_MS) return true;
    return this.newcomer === undefined ? undefined : false;
  }

  /** Call it when a connection has subscribed. It hears the rounds that begin from now on. */
  add(): BusPaths {
    const paths = new BusPaths(this.#options.clock);
    this.#connections.add(paths);
    return paths;
  }

  /** Call it when the connection was lost. */
  remove(paths: BusPaths): void {
    this.#connections.delete(paths);
  }

  /** Call it with everything that arrives on the channel of the probes, on whichever connection. */
  heard(text: string, paths: BusPaths): void {
    if (text.startsWith(HELLO)) {
      if (text === `${HELLO} ${this.#node}`) this.#greetingCame();
      else this.#answer(text);
      return;
    }
    const [, node, round, age, primary = ""] = PROBE.exec(text) ?? [];
    if (node === undefined) return;
    if (node === this.#node) paths.came(Number(round), primary);
    else this.#heardOther(Number(age));
  }

  /** Publishes a probe through every primary. Returns the number of this round. */
  publish(): number {
    const round = ++this.#round;
    const primaries = this.#closed ? [] : this.#options.primaries();
    for (const paths of this.#connections) paths.keepOnly(primaries);
    for (const primary of primaries) void this.#probe(primary, round);
    return round;
  }

  close(): void {
    this.#closed = true;
    this.#stop();
  }

  get #now(): number {
    return this.#options.clock.now();
  }

  /** Asks through the primary who listens. The connection to it may not be there yet. Never rejects. */
  async #greet(primary: RedisPrimary): Promise<void> {
    if (this.#closed || this.newcomer !== undefined) return;
    if (await this.#publishAt(primary, `${HELLO} ${this.#node}`)) return;
    this.#options.clock.after(GREET_AGAIN_MS, () => void this.#greet(primary));
  }

  /** The others hear it at about the same time. */
  #greetingCame(): void {
    this.#options.clock.after(ANSWER_MS, () => {
      this.newcomer ??= false;
    });
  }

  /** A gateway that has just begun to listen learns at once of those that did before. Each connection hears its hello. */
  #answer(hello: string): void {
    if (this.#greeted !== undefined) {
      this.#greeted.add(hello);
      return;
    }
    const answered = new Set([hello]);
    this.#greeted = new Set();
    void this.#publishEverywhere(this.#text(NO_ROUND, NO_PRIMARY));
    this.#options.clock.after(GATHER_MS, () => {
      const others = [...(this.#greeted ?? [])].filter((one) => !answered.has(one));
      this.#greeted = undefined;
      if (others[0] !== undefined) this.#answer(others[0]);
    });
  }

  #text(round: number, primary: string): string {
    return `bus ${this.#node} ${round} ${this.#now - this.since} ${primary}`;
  }

  #heardOther(age: number): void {
    this.#otherHeardAt = this.#now;
    if (this.newcomer === undefined && age > this.#now - this.since) this.newcomer = true;
  }

  /** Never rejects. */
  async #publishEverywhere(text: string): Promise<void> {
    if (this.#closed) return;
    await Promise.all(this.#options.primaries().map((primary) => this.#publishAt(primary, text)));
  }

  /** Never rejects. */
  async #probe(primary: RedisPrimary, round: number): Promise<void> {
    const connections = [...this.#connections];
    for (const paths of connections) paths.sent(primary, round);
    const taken = await this.#publishAt(primary, this.#text(round, primary.name));
    if (!taken) for (const paths of connections) paths.notTaken(primary, round);
  }

  async #publishAt(primary: RedisPrimary, text: string): Promise<boolean> {
    try {
      await this.#options.publishAt(primary, text);
      return true;
    } catch (error) {
      this.#options.telemetry.log("debug", "Redis took no probe", {
        ...{ server: primary.name, reason: reasonOf(error) },
      });
      return false;
    }
  }
}
