import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { RedisPrimary } from "./slot-owners.ts";

/** So many probes in a row that a primary took and the connection did not hear, though it heard later ones. */
const BROKEN_AT = 3;

/** The ways from the primaries to one connection that listens, as the probes on them show. */
export class BusPaths {
  readonly #clock: ClockPort;
  readonly #paths = new Map<RedisPrimary, Path>();

  constructor(clock: ClockPort) {
    this.#clock = clock;
  }

  /** How many milliseconds ago a message that is read now may have been published at most, by whichever primary took it. */
  get lateMs(): number {
    return Math.max(0, this.#clock.now() - this.heardUpTo);
  }

  /** Everything that any primary took until then was heard, or never will be. */
  get heardUpTo(): number {
    return Math.min(this.#clock.now(), ...[...this.#paths.values()].map(({ heardUpTo }) => heardUpTo));
  }

  /** A primary whose messages do not reach the connection, though those of others do. */
  get broken(): RedisPrimary | undefined {
    const newest = Math.max(...[...this.#paths.values()].map((path) => path.newest));
    for (const [primary, { missing }] of this.#paths) {
      if (missing.filter((round) => round <= newest).length >= BROKEN_AT) return primary;
    }
    return undefined;
  }

  /** Whether all probes up to this round were heard, but for those that no primary took. */
  heardAll(round: number): boolean {
    return [...this.#paths.values()].every(({ missing }) => missing.every((one) => one > round));
  }

  /** Forgets the ways from primaries that are not among these. */
  keepOnly(primaries: readonly RedisPrimary[]): void {
    for (const known of [...this.#paths.keys()]) if (!primaries.includes(known)) this.#paths.delete(known);
  }

  /** Call it before a probe is published through the primary. */
  sent(primary: RedisPrimary, round: number): void {
    const now = this.#clock.now();
    const path: Path = this.#paths.get(primary) ?? {
      ...{ missing: [], newest: 0, sentAt: new Map(), heardUpTo: now },
    };
    this.#paths.set(primary, path);
    path.sentAt.set(round, now);
    path.missing.push(round);
  }

  /** Call it when the primary is away: it takes no messages of workers either, so that none of them are late. */
  notTaken(primary: RedisPrimary, round: number): void {
    const path = this.#paths.get(primary);
    if (path === undefined) return;
    path.missing = path.missing.filter((one) => one !== round);
    path.sentAt.delete(round);
    path.heardUpTo = this.#clock.now();
  }

  /** Call it when the probe that was published through the primary of this name arrives. */
  came(round: number, name: string): void {
    for (const [primary, path] of this.#paths) {
      if (primary.name !== name) continue;
      path.missing = path.missing.filter((one) => one > round);
      path.newest = Math.max(path.newest, round);
      path.heardUpTo = Math.max(path.heardUpTo, path.sentAt.get(round) ?? 0);
      for (const one of path.sentAt.keys()) if (one <= round) path.sentAt.delete(one);
    }
  }
}

/** The way from one primary to the connection. */
interface Path {
  /** The probes that it may have taken and that were not heard, oldest first. */
  missing: number[];
  /** The last probe that was heard. */
  newest: number;
  /** When the probes that were not heard were published. */
  readonly sentAt: Map<number, number>;
  /** Everything that the primary took until then was heard. */
  heardUpTo: number;
}
