import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerError, reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { EncodedEvent } from "../../domain/analysis-event.ts";
import type { AppendScriptCall } from "./append-script.ts";
import { tagIn } from "./cluster-slots.ts";
import type { TrialChannel } from "./redis-keys.ts";
import type { RedisLinks } from "./redis-links.ts";
import type { RedisPrimary } from "./slot-owners.ts";

/** The two connections that append events. */
export type AppendPurpose = "publishing" | "commands";

interface AppendTrialsOptions {
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly links: RedisLinks;
  /** Whether the connection is up: only then a trial says more than its state does. */
  readonly isUp: (purpose: AppendPurpose) => boolean;
  /** Appends as everybody does, on a channel that nobody sees. Rejects as an append does. */
  readonly attempt: (purpose: AppendPurpose) => Promise<void>;
  /** Looks whether the data of a newer format that was met is still there. Rejects as a read does. */
  readonly lookAtFormat: () => Promise<void>;
  /** The name of the primary; "" if there is only one. */
  readonly at: string;
  /** The server that the connection leads to, if that is known. */
  readonly serverOf: (purpose: AppendPurpose) => string | undefined;
}

const LOOK_EVERY_MS = 2_000;
/** Longer than a connection to a replica is kept. */
const AGAIN_MS = 500;
/** While all is well every second look appends, that is every four seconds. */
const TRY_EVERY = 2;
const PURPOSES: readonly AppendPurpose[] = ["publishing", "commands"];

/**
 * Finds out whether an append would succeed. Each connection tries one from time to time, at once when it was made, and
 * sooner after a failure. So a full memory, a replica, a missing permission or too few replicas show within ten seconds
 * though nobody publishes, and so does their end.
 */
export class AppendTrials {
  readonly #options: AppendTrialsOptions;
  readonly #troubles = new Map<AppendPurpose, BrokerTrouble>(
    PURPOSES.map((purpose) => [purpose, { cause: "connecting" }]),
  );
  /** Counts the connections of each purpose: a trial on an earlier one says nothing about this one. */
  readonly #connections = new Map<AppendPurpose, number>();
  /** The connection on which an attempt is under way. */
  readonly #trying = new Map<AppendPurpose, number>();
  readonly #stop: () => void;
  #looks = 0;
  #everStored = false;

  constructor(options: AppendTrialsOptions) {
    this.#options = options;
    this.#stop = options.clock.every(LOOK_EVERY_MS, () => {
      const isDue = ++this.#looks % TRY_EVERY === 0;
      if (isDue || this.trouble !== undefined) void this.#look();
    });
  }

  /** Why an append would fail, or undefined if it would be stored. */
  get trouble(): BrokerTrouble | undefined {
    return this.#troubles.get("publishing") ?? this.#troubles.get("commands");
  }

  /** Call it when the connection was made: nothing is known of it yet. */
  made(purpose: AppendPurpose): void {
    void this.#try(purpose);
  }

  /** Call it when the connection was lost. */
  lost(purpose: AppendPurpose): void {
    this.#connections.set(purpose, this.#connectionOf(purpose) + 1);
    if (!this.#troubles.has(purpose)) this.#troubles.set(purpose, { cause: "connecting" });
  }

  /** Call it when anybody's append failed: a lasting refusal would meet the next one too. */
  failed(purpose: AppendPurpose, error: unknown): void {
    const trouble = error instanceof BrokerError ? error.trouble : undefined;
    if (trouble !== undefined && LASTING.has(trouble.cause)) this.#fails(purpose, trouble, reasonOf(error));
  }

  close(): void {
    this.#stop();
    for (const purpose of PURPOSES) {
      // A trial that is under way tells nothing any more.
      this.lost(purpose);
      this.#options.links.outages.forget(sourceOf(purpose));
    }
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    for (const purpose of PURPOSES) await this.#try(purpose);
    try {
      await this.#options.lookAtFormat();
    } catch (error) {
      // The connection that it concerns says why the format cannot be read.
      this.#options.telemetry.log("debug", "the format was not looked at", { reason: reasonOf(error) });
    }
  }

  /** Never rejects. */
  async #try(purpose: AppendPurpose): Promise<void> {
    const connection = this.#connectionOf(purpose);
    if (!this.#options.isUp(purpose) || this.#trying.get(purpose) === connection) return;
    this.#trying.set(purpose, connection);
    try {
      await this.#options.attempt(purpose);
      if (connection === this.#connectionOf(purpose)) this.#succeeds(purpose);
    } catch (error) {
      if (connection !== this.#connectionOf(purpose)) return;
      const trouble = error instanceof BrokerError ? error.trouble : ({ cause: "fault" } as const);
      this.#fails(purpose, trouble, reasonOf(error));
    } finally {
      if (this.#trying.get(purpose) === connection) this.#trying.delete(purpose);
    }
  }

  #succeeds(purpose: AppendPurpose): void {
    const { links, serverOf, telemetry } = this.#options;
    this.#troubles.delete(purpose);
    links.outages.clear(sourceOf(purpose));
    this.#tellOfPermissions();
    if (purpose === "publishing") links.storedAt(serverOf(purpose));
    if (this.#everStored || this.trouble !== undefined) return;
    this.#everStored = true;
    const which = this.#options.at === "" ? {} : { primary: this.#options.at };
    telemetry.log("info", "connected to Redis: events can be stored", which);
  }

  #fails(purpose: AppendPurpose, trouble: BrokerTrouble, detail: string): void {
    this.#troubles.set(purpose, trouble);
    this.#options.links.outages.report(sourceOf(purpose), trouble, detail);
    this.#tellOfPermissions();
    // A second answer of this kind makes the link connect anew: it must not take seconds to come.
    if (trouble.cause === "read_only") this.#options.clock.after(AGAIN_MS, () => void this.#try(purpose));
  }

  #connectionOf(purpose: AppendPurpose): number {
    return this.#connections.get(purpose) ?? 0;
  }

  #tellOfPermissions(): void {
    const denied = [...this.#troubles.values()].find(({ cause }) => cause === "permission");
    this.#options.links.lacks(denied);
  }
}

/** The causes that are about the broker and not about one append. */
const LASTING: ReadonlySet<string> = new Set(["full", "disk", "permission", "read_only", "replicas"]);

function sourceOf(purpose: AppendPurpose): string {
  return `${purpose} (append)`;
}

/** Long enough for the second connection to find what the first one stored, in milliseconds. */
const STAYS_MS = 1_000;
const GONE_MS = 1;
/** So few that the third event makes the script trim. */
const SIZE = 1;
const KNOWN = { by: "key", scope: "channel", windowMs: 1, rememberMs: 1 } as const;

/**
 * The appends of a trial, on a channel of the gateway's own which holds nothing a moment later. The two connections
 * together use every command of the script: the first begins a channel and ends it, the second trims it, reopens it under
 * an attempt and lets it expire.
 */
export class TrialAppend {
  readonly #primary: RedisPrimary;
  #channel: TrialChannel | undefined;

  constructor(primary: RedisPrimary) {
    this.#primary = primary;
  }

  /** The channel is in a slot of the primary: another one than the last time if it is asked for a trial `elsewhere`. */
  callFor(purpose: AppendPurpose, where?: "elsewhere"): AppendScriptCall {
    const first = purpose === "publishing";
    if (where === "elsewhere") this.#channel = undefined;
    this.#channel ??= tagIn<TrialChannel>(this.#primary.slots, (random) => `try:${random}`);
    return {
      channel: this.#channel,
      requests: [
        {
          events: first ? [event("status"), event("error")] : [event("status", "try")],
          // Each has a name of its own. A duplicate, within the millisecond, would try nothing.
          deduplicate: { ...KNOWN, name: purpose },
        },
      ],
      acknowledged: first,
      calledAt: performance.now(),
      limits: { size: SIZE, ttlMs: first ? STAYS_MS : GONE_MS },
    };
  }
}

function event(kind: "status" | "error", attemptId?: string): EncodedEvent {
  return {
    kind,
    stage: kind === "status" ? "initializing" : undefined,
    timestamp: "1970-01-01T00:00:00Z",
    attemptId,
    members: '"event_type":"none"}',
  };
}
