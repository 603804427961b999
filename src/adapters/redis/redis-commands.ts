import type { Redis } from "ioredis";
import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable, OutcomeUnknown, reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { BrokerClock } from "../broker/broker-clock.ts";
import type { RedisTarget } from "./redis-connection.ts";
import { isReply, readFailure, writeFailure } from "./redis-errors.ts";
import { RedisLink } from "./redis-link.ts";
import type { RedisLinks } from "./redis-links.ts";
import { type OwnChannels, SCRIPTS, type Script, type ScriptName } from "./redis-scripts.ts";
import type { ScriptReply } from "./stored-format.ts";

interface RedisCommandsOptions {
  readonly target: RedisTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** The purpose of the connection, as CLIENT LIST and the log show it. */
  readonly purpose: string;
  /** The state that it shares with the other connections of the gateway to this primary. */
  readonly links: RedisLinks;
  /** How its scripts publish. Default: plain. */
  readonly ownChannels?: OwnChannels | undefined;
  /** Called each time scripts can be sent again. */
  readonly onReady?: () => void;
  readonly onLost?: () => void;
  /** Called with the sections replication and persistence of INFO, on every connection and every two seconds. */
  readonly information?: (info: string) => void;
}

/** The connection that scripts run on. Its failures are those of `PubSubPort`. */
export class RedisCommands {
  readonly #link: RedisLink;
  readonly #options: RedisCommandsOptions;
  readonly #telemetry: TelemetryPort;
  readonly #brokerClock = new BrokerClock();
  readonly #scripts: Readonly<Record<ScriptName, Script>>;
  #evictionWarning: string | undefined;

  constructor(options: RedisCommandsOptions) {
    this.#options = options;
    this.#telemetry = options.telemetry;
    this.#scripts = SCRIPTS[options.ownChannels ?? "plain"];
    this.#link = new RedisLink({
      ...options,
      check: (redis) => this.#look(redis),
      onReady: () => {
        void this.#prepare();
        options.onReady?.();
      },
      onLost: () => {
        this.#brokerClock.forget();
        options.onLost?.();
      },
    });
  }

  /** Why a command would be refused now. */
  get away(): BrokerTrouble | undefined {
    return this.#link.away;
  }

  /** The server that it is connected to, if Redis lets the gateway ask. */
  get server(): string | undefined {
    return this.#link.server;
  }

  /** The time of the server's clock, in milliseconds since 1970; undefined as long as nobody knows. */
  get serverTime(): number | undefined {
    return this.#brokerClock.about(this.#brokerClock.now());
  }

  /** Throws `BrokerUnavailable` if Redis is known to be away, but not while nobody knows yet. */
  assertNotAway(): void {
    if (!this.#link.starting) this.#link.assertUp();
  }

  /** Throws `BrokerUnavailable` if its user lacks a permission that an append needs. */
  assertPermitted(): void {
    this.#options.links.assertPermitted();
  }

  get warnings(): readonly string[] {
    return this.#evictionWarning === undefined ? [] : [this.#evictionWarning];
  }

  /** Runs a script that writes. Once connected, scripts are sent in the order of the calls. */
  async write(name: ScriptName, keys: readonly string[], args: readonly string[]): Promise<ScriptReply> {
    const reply = await this.#run(name, keys, args, writeFailure);
    this.#link.worked(true);
    return reply;
  }

  /**
   * Does the same with a script that answers `LATE` once its deadline has passed on Redis' clock. `within` says how
   * many milliseconds it has from the moment that it is sent, and `argsBy` gets the deadline. A call without an answer fails with `OutcomeUnknown`, and only when its deadline has surely passed: from then
   * on nothing comes of it, wherever its bytes are.
   */
  async writeBy(
    within: () => number,
    name: ScriptName,
    keys: readonly string[],
    argsBy: (deadline: string) => readonly string[],
  ): Promise<ScriptReply> {
    if (this.#link.starting) await this.#link.started;
    this.#link.assertUp();
    const until = this.#brokerClock.now() + within();
    const deadline = this.#brokerClock.atBroker(until);
    if (deadline === undefined) {
      throw new BrokerUnavailable("the clock of Redis is not known", { trouble: { cause: "connecting" } });
    }
    let reply: ScriptReply;
    try {
      reply = await this.write(name, keys, argsBy(`${deadline}`));
    } catch (error) {
      if (error instanceof OutcomeUnknown && !isReply(error.cause)) await this.#reached(until);
      throw error;
    }
    if (reply[0] === "LATE") {
      throw new BrokerUnavailable("Redis came to it after its deadline had passed", {
        trouble: { cause: "late" },
      });
    }
    return reply;
  }

  /** Waits until `replicas` replicas have everything written on this connection. Resolves with how many have it. */
  async wait(replicas: number, milliseconds: number): Promise<number> {
    this.#link.assertUp();
    try {
      return await this.#link.redis.wait(replicas, milliseconds);
    } catch (error) {
      this.#link.failed(error);
      throw error;
    }
  }

  /** Runs a script that changes nothing. Its only failure is `BrokerUnavailable`. */
  async read(name: ScriptName, keys: readonly string[], args: readonly string[]): Promise<ScriptReply> {
    return this.#run(name, keys, args, readFailure);
  }

  /** Publishes a message that nothing depends on. Resolves with how many connections of this server it was sent to. */
  async publish(channel: string, message: string, channels: OwnChannels = "plain"): Promise<number> {
    this.#link.assertUp();
    const { redis } = this.#link;
    try {
      const command = channels === "plain" ? "publish" : "spublish";
      return Number(await redis.call(command, channel, message));
    } catch (error) {
      this.#link.failed(error);
      throw readFailure(error);
    }
  }

  close(): void {
    this.#link.close();
  }

  async #run(
    name: ScriptName,
    keys: readonly string[],
    args: readonly string[],
    translate: (error: unknown, script: string) => unknown,
  ): Promise<ScriptReply> {
    if (this.#link.starting) await this.#link.started;
    this.#link.assertUp();
    try {
      const reply = await this.#evaluate(this.#scripts[name], keys, args);
      this.#link.worked();
      return reply;
    } catch (error) {
      this.#link.failed(error);
      throw translate(error, this.#scripts[name].text);
    }
  }

  async #evaluate(script: Script, keys: readonly string[], args: readonly string[]): Promise<ScriptReply> {
    const { redis } = this.#link;
    try {
      return (await redis.evalsha(script.sha, keys.length, ...keys, ...args)) as ScriptReply;
    } catch (error) {
      // Only after SCRIPT FLUSH by hand, since every new connection loads the scripts first. Calls that are under way
      // at that instant may change places.
      if (!isReply(error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return (await redis.eval(script.text, keys.length, ...keys, ...args)) as ScriptReply;
    }
  }

  async #reached(time: number): Promise<void> {
    for (let left = time - this.#brokerClock.now(); left > 0; left = time - this.#brokerClock.now()) {
      await new Promise<void>((resolve) => this.#options.clock.after(Math.ceil(left), resolve));
    }
  }

  /** The clocks are compared on every connection and as long as it lasts, since any of them may be set. */
  async #look(redis: Redis): Promise<void> {
    const { information } = this.#options;
    const [time, info] = await Promise.allSettled([
      this.#lookAtClock(redis),
      information && Promise.all([redis.info("replication"), redis.info("persistence")]),
    ]);
    if (time.status === "rejected") throw time.reason;
    // Not being allowed to look is no fault here: a feature that needs it says so itself.
    if (info.status === "fulfilled" && info.value !== undefined) information?.(info.value.join("\n"));
  }

  async #lookAtClock(redis: Redis): Promise<void> {
    const askedAt = this.#brokerClock.now();
    const [seconds, microseconds] = await redis.time();
    const broker = Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
    this.#brokerClock.measured(broker, askedAt, this.#brokerClock.now());
  }

  async #prepare(): Promise<void> {
    const loaded = Object.values(this.#scripts).map((script) => this.#link.redis.script("LOAD", script.text));
    const [policy] = await Promise.allSettled([this.#evictionPolicy(), ...loaded]);
    // Not being allowed to look is no fault: managed servers forbid INFO. A script that could not be loaded is
    // sent whole with its first use.
    if (policy.status === "rejected") {
      this.#telemetry.log("debug", "the eviction policy of Redis is not known", {
        reason: reasonOf(policy.reason),
      });
      return;
    }
    const warning = evictionWarning(policy.value);
    if (warning !== undefined && warning !== this.#evictionWarning) this.#telemetry.log("warn", warning);
    this.#evictionWarning = warning;
  }

  async #evictionPolicy(): Promise<string | undefined> {
    // A user that may ask CONFIG for the policy may ask it for passwords as well.
    return /^maxmemory_policy:([a-z-]+)/m.exec(await this.#link.redis.info("memory"))?.[1];
  }
}

function evictionWarning(policy: string | undefined): string | undefined {
  if (policy === undefined || policy === "noeviction") return undefined;
  return `Redis has maxmemory-policy ${policy}: with a full memory live histories vanish; set it to noeviction`;
}
