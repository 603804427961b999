import { createHash } from "node:crypto";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { reasonOf } from "../../application/reason-of.ts";
import appendEvents from "./append-events.lua" with { type: "text" };
import { isReply, readFailure, writeFailure } from "./broker-errors.ts";
import deadLetter from "./dead-letter.lua" with { type: "text" };
import declareViewers from "./declare-viewers.lua" with { type: "text" };
import readChannel from "./read-channel.lua" with { type: "text" };
import readHistory from "./read-history.lua" with { type: "text" };
import readPositions from "./read-positions.lua" with { type: "text" };
import { RedisLink, type RedisTarget } from "./redis-link.ts";

export type ScriptName = keyof typeof SCRIPTS;
export type ScriptReply = readonly unknown[];

export interface RedisCommandsOptions {
  readonly target: RedisTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** What the connection is for: seen in CLIENT LIST and in the log. */
  readonly purpose: string;
}

/** The connection that scripts run on. Its failures are those of `PubSubPort`. */
export class RedisCommands {
  readonly #link: RedisLink;
  readonly #telemetry: TelemetryPort;
  #evictionWarning: string | undefined;

  constructor(options: RedisCommandsOptions) {
    this.#telemetry = options.telemetry;
    this.#link = new RedisLink({ ...options, onReady: () => void this.#prepare() });
  }

  /** Why a command would be refused now, or undefined. */
  get away(): string | undefined {
    return this.#link.away;
  }

  get warnings(): readonly string[] {
    return this.#evictionWarning === undefined ? [] : [this.#evictionWarning];
  }

  /** Runs a script that writes. Once connected, scripts are sent in the order of the calls. */
  async write(name: ScriptName, keys: readonly string[], args: readonly string[]): Promise<ScriptReply> {
    return this.#run(name, keys, args, writeFailure);
  }

  /** Runs a script that changes nothing: fails with `BrokerUnavailable` alone. */
  async read(name: ScriptName, keys: readonly string[], args: readonly string[]): Promise<ScriptReply> {
    return this.#run(name, keys, args, readFailure);
  }

  /** Publishes a message that nothing depends on. Resolves with how many connections Redis sent it to. */
  async publish(channel: string, message: string): Promise<number> {
    this.#link.assertUp();
    try {
      return await this.#link.redis.publish(channel, message);
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
    translate: (error: unknown) => unknown,
  ): Promise<ScriptReply> {
    if (this.#link.starting) await this.#link.started;
    this.#link.assertUp();
    try {
      return await this.#evaluate(SCRIPTS[name], keys, args);
    } catch (error) {
      this.#link.failed(error);
      throw translate(error);
    }
  }

  async #evaluate(script: Script, keys: readonly string[], args: readonly string[]): Promise<ScriptReply> {
    const { redis } = this.#link;
    try {
      return (await redis.evalsha(script.sha, keys.length, ...keys, ...args)) as ScriptReply;
    } catch (error) {
      // Only after SCRIPT FLUSH by hand, since every new connection loads the scripts before anything else; calls
      // under way at that instant may change places.
      if (!isReply(error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return (await redis.eval(script.text, keys.length, ...keys, ...args)) as ScriptReply;
    }
  }

  async #prepare(): Promise<void> {
    const loaded = Object.values(SCRIPTS).map((script) => this.#link.redis.script("LOAD", script.text));
    const [policy] = await Promise.allSettled([this.#evictionPolicy(), ...loaded]);
    // Not being allowed to look is no fault: managed servers forbid CONFIG. A script that could not be loaded is
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
    const answer = (await this.#link.redis.config("GET", "maxmemory-policy")) as string[];
    return answer[1];
  }
}

interface Script {
  readonly text: string;
  readonly sha: string;
}

const SCRIPTS = {
  appendEvents: script(appendEvents),
  deadLetter: script(deadLetter),
  declareViewers: script(declareViewers),
  readChannel: script(readChannel),
  readHistory: script(readHistory),
  readPositions: script(readPositions),
};

function script(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

function evictionWarning(policy: string | undefined): string | undefined {
  if (policy === undefined || policy === "noeviction") return undefined;
  return `Redis has maxmemory-policy ${policy}: with a full memory live histories vanish; set it to noeviction`;
}
