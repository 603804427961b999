import { AccessUndecided } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { fetchKeySet, KeySetUnreadable } from "./fetch-key-set.ts";
import {
  type Candidates,
  candidatesOf,
  importPublicKeys,
  type PublicAlgorithm,
  type PublicKey,
} from "./public-keys.ts";

/** The time between two reads for tokens that name a key that the issuer does not have, in milliseconds. */
export const COOLDOWN_MS = 10_000;
/** Older keys are read again, while tokens are judged by them. */
const REFRESH_MS = 5 * 60_000;
/** Nobody is judged by older keys before they were read again, unless the issuer is away. */
const STALE_MS = 10 * 60_000;
/** The longest that a token waits for a read, from the beginning of the read on. */
const PATIENCE_MS = 2_500;
const FETCH_TIMEOUT_MS = 10_000;
/** The pause after a read that failed: without any keys nobody is let in, so it is short. */
const RETRY_MS = { withoutKeys: 1_000, withKeys: 10_000 };

export interface KeySetAddress {
  readonly url: string;
  /** The issuers whose tokens these keys verify; any if left out. */
  readonly issuers?: readonly string[];
}

/** Names the key that a token is said to be signed with. */
export interface KeyName {
  readonly algorithm: PublicAlgorithm;
  readonly kid: string | undefined;
}

/**
 * The public keys of an issuer, read from its address and kept. They are read again as they age, and if a token names one
 * that is not there: at most once in `COOLDOWN_MS`, however many tokens do. If the issuer is away, the keys that were read
 * last stay good.
 */
export class IssuerKeys {
  readonly #address: KeySetAddress;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  #set: { readonly keys: readonly PublicKey[]; readonly readAt: number } | undefined;
  #read: { readonly since: number; readonly done: Promise<void> } | undefined;
  /** Why the last read failed; undefined if it did not. `since` is the first failure of this outage. */
  #outage: { readonly since: number; readonly failedAt: number; readonly reason: string } | undefined;
  #lookedForUnknownAt = Number.NEGATIVE_INFINITY;

  constructor(address: KeySetAddress, clock: ClockPort, telemetry: TelemetryPort) {
    this.#address = address;
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /** The address without its query, for people. */
  get name(): string {
    const { origin, pathname } = new URL(this.#address.url);
    return `${origin}${pathname}`;
  }

  /** How many keys there are. */
  get count(): number {
    return this.#set?.keys.length ?? 0;
  }

  /** Why the keys could not be read; undefined if the last read succeeded. */
  get trouble(): string | undefined {
    return this.#outage?.reason;
  }

  /** Whether tokens that name this issuer may be signed with these keys. */
  areOf(issuer: unknown): boolean {
    const { issuers } = this.#address;
    return issuers === undefined || issuers.some((one) => one === issuer);
  }

  /** Reads the keys before the first token needs them. Resolves when the read ended, with or without them. */
  async prepare(): Promise<void> {
    if (this.#mayRead()) this.#beginRead();
    await this.#read?.done;
  }

  /** The candidates among the keys that are there; undefined if there are none, or only old ones. Waits for nothing. */
  known({ algorithm, kid }: KeyName): Candidates | undefined {
    if (this.#set === undefined) return undefined;
    const age = this.#clock.now() - this.#set.readAt;
    if (age > REFRESH_MS && this.#mayRead()) this.#beginRead();
    if (age > STALE_MS && this.#outage === undefined) return undefined;
    return candidatesOf(this.#set.keys, algorithm, kid);
  }

  /**
   * The candidates after another look at the issuer, for a token that no known key has signed. Rejects with
   * `AccessUndecided` if the issuer does not answer.
   */
  async lookedUp(key: KeyName): Promise<Candidates> {
    let isNews = false;
    if (this.known(key) === undefined) {
      if (this.#mayRead()) this.#beginRead();
      isNews = await this.#readInTime();
    }
    const known = this.known(key);
    if (known?.named === true || (isNews && known !== undefined)) return known;
    if (this.#set !== undefined) await this.#lookForUnknown();
    const found = this.known(key);
    if (found?.named === true) return found;
    if (found === undefined || this.#outage !== undefined)
      throw new AccessUndecided("the keys of an issuer cannot be read", { isTold: true });
    return found;
  }

  /** Joins a read that is out: it began after this token was made, or ends in the same refusal. */
  async #lookForUnknown(): Promise<void> {
    const now = this.#clock.now();
    if (this.#read === undefined && now - this.#lookedForUnknownAt >= COOLDOWN_MS) {
      this.#lookedForUnknownAt = now;
      this.#beginRead();
    }
    if (this.#read !== undefined && !(await this.#readInTime()))
      throw new AccessUndecided("the keys of an issuer cannot be read", { isTold: true });
  }

  #mayRead(): boolean {
    if (this.#read !== undefined) return false;
    const pause = this.#set === undefined ? RETRY_MS.withoutKeys : RETRY_MS.withKeys;
    return this.#outage === undefined || this.#clock.now() - this.#outage.failedAt >= pause;
  }

  #beginRead(): void {
    const done = this.#readKeys().finally(() => {
      this.#read = undefined;
    });
    this.#read = { since: this.#clock.now(), done };
  }

  /** Waits for the read that is out. False if it failed, takes too long, or none is out. */
  async #readInTime(): Promise<boolean> {
    const read = this.#read;
    if (read === undefined) return false;
    const left = read.since + PATIENCE_MS - this.#clock.now();
    if (left <= 0) return false;
    let cancel = () => {};
    const late = new Promise<"late">((resolve) => {
      cancel = this.#clock.after(left, () => resolve("late"));
    });
    const outcome = await Promise.race([read.done, late]);
    cancel();
    return outcome !== "late" && this.#outage === undefined;
  }

  /** Never rejects. */
  async #readKeys(): Promise<void> {
    const given = new AbortController();
    const cancel = this.#clock.after(FETCH_TIMEOUT_MS, () => given.abort());
    try {
      const keys = await importPublicKeys(await fetchKeySet(this.#address.url, given.signal));
      // An issuer without keys signs nothing: such a set is a mistake, and taking it would lock everybody out.
      if (keys.length === 0) throw new KeySetUnreadable("the key set has no key that can be used");
      this.#set = { keys, readAt: this.#clock.now() };
      this.#tellReturn();
    } catch (error) {
      this.#tellOutage(error instanceof KeySetUnreadable ? error.message : "the keys cannot be imported");
    } finally {
      cancel();
    }
  }

  #tellOutage(reason: string): void {
    const failedAt = this.#clock.now();
    if (this.#outage === undefined)
      this.#telemetry.log("warn", "the keys of an issuer cannot be read", {
        issuer: this.name,
        reason,
        consequence:
          this.#set === undefined ? "its tokens are put off" : "the keys that were read last stay good",
      });
    this.#outage = { since: this.#outage?.since ?? failedAt, failedAt, reason };
  }

  #tellReturn(): void {
    const outage = this.#outage;
    if (outage === undefined) return;
    this.#outage = undefined;
    this.#telemetry.log("info", "the keys of an issuer can be read again", {
      issuer: this.name,
      after_seconds: Math.round((this.#clock.now() - outage.since) / 100) / 10,
    });
  }
}
