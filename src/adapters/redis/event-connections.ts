import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { AppendScriptCall } from "./append-script.ts";
import { type AppendPurpose, AppendTrials, TrialAppend } from "./append-trials.ts";
import { RedisCommands } from "./redis-commands.ts";
import { isAboutSlot } from "./redis-errors.ts";
import type { RedisLinks } from "./redis-links.ts";
import { RedisPersistence } from "./redis-persistence.ts";
import { RedisReplicas, type RequiredReplicas } from "./redis-replicas.ts";
import type { RedisPrimary } from "./slot-owners.ts";

interface EventConnectionsOptions {
  readonly primary: RedisPrimary;
  readonly links: RedisLinks;
  readonly waitReplicas: RequiredReplicas;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** Appends over these connections, past everything that holds appends back. */
  readonly send: (connections: EventConnections, call: AppendScriptCall) => Promise<unknown>;
  /** Looks whether the data of a newer format that was met is still there. Rejects as a read does. */
  readonly lookAtFormat: () => Promise<void>;
}

/**
 * The connections over which events are appended and read at one primary, and whether it would store any. There are two: one
 * on which publishers are answered, which is held up if it waits for replicas, and one for everything that need not wait.
 */
export class EventConnections {
  readonly publishing: RedisCommands;
  readonly commands: RedisCommands;
  readonly replicas: RedisReplicas;
  readonly #options: EventConnectionsOptions;
  readonly #trials: AppendTrials;
  readonly #trial: TrialAppend;
  readonly #persistence: RedisPersistence;

  constructor(options: EventConnectionsOptions) {
    this.#options = options;
    const { primary, links, waitReplicas, clock, telemetry } = options;
    const appending = (purpose: AppendPurpose) => ({
      ...{ target: primary.target, ownChannels: primary.ownChannels, links, clock, telemetry, purpose },
      onReady: () => this.#trials.made(purpose),
      onLost: () => this.#trials.lost(purpose),
    });
    const promotes = primary.target.sentinels !== undefined;
    this.#persistence = new RedisPersistence({ promotes, telemetry });
    this.publishing = new RedisCommands({
      ...appending("publishing"),
      information: (info) => {
        this.replicas.look(info);
        this.#persistence.look(info);
      },
    });
    this.replicas = new RedisReplicas({
      required: waitReplicas,
      wait: (replicas, milliseconds) => this.publishing.wait(replicas, milliseconds),
      clock,
      telemetry,
    });
    this.commands = new RedisCommands(appending("commands"));
    this.#trial = new TrialAppend(primary);
    this.#trials = new AppendTrials({
      clock,
      telemetry,
      links,
      isUp: (purpose) => this[purpose].away === undefined && primary.slots.length > 0,
      attempt: (purpose) => this.#attempt(purpose),
      lookAtFormat: options.lookAtFormat,
      at: primary.name,
      serverOf: (purpose) => this[purpose].server,
    });
  }

  /** Undefined as long as nobody was told. */
  get keptIn(): "disk" | "memory" | undefined {
    return this.#persistence.keptIn;
  }

  /** Settings of Redis that an operator should change, though events are stored. */
  get warnings(): readonly string[] {
    return [...this.commands.warnings, ...this.#persistence.warnings];
  }

  /** Why nobody is answered, or undefined. */
  get away(): BrokerTrouble | undefined {
    return this.commands.away ?? this.publishing.away;
  }

  /** Why an append would fail, or undefined if it would be stored. */
  get refuses(): BrokerTrouble | undefined {
    return this.#trials.trouble;
  }

  /** The connection for an append. */
  connectionFor(acknowledged: boolean): RedisCommands {
    return acknowledged ? this.publishing : this.commands;
  }

  /** Call it for every append that failed. */
  failed(acknowledged: boolean, error: unknown): void {
    this.#trials.failed(acknowledged ? "publishing" : "commands", error);
  }

  close(): void {
    this.#trials.close();
    this.publishing.close();
    this.commands.close();
  }

  async #attempt(purpose: AppendPurpose): Promise<void> {
    try {
      await this.#options.send(this, this.#trial.callFor(purpose));
    } catch (error) {
      if (this.#options.primary.ownChannels === "plain" || !isAboutSlot(error)) throw error;
      // The slot is on its way to another primary, and that says nothing about the others.
      this.#options.links.lost();
      await this.#options.send(this, this.#trial.callFor(purpose, "elsewhere"));
    }
  }
}
