import { type Command, InvalidArgumentError } from "commander";
import { RedisDeadLetters } from "../../adapters/redis/redis-dead-letters.ts";
import { RedisPubSub } from "../../adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../../adapters/system/system-clock.ts";
import { QuietTelemetry } from "../../adapters/telemetry/quiet-telemetry.ts";
import { OutcomeUnknown } from "../../application/errors.ts";
import type { KeptDeadLetter } from "../../application/ports/dead-letter-port.ts";
import type { LogFields, LogLevel } from "../../application/ports/telemetry-port.ts";
import { RepublishDeadLetter } from "../../application/republish-dead-letter.ts";
import type { Config } from "../config/config.ts";
import { CommandFailed, EXIT, readConfig } from "./command-failed.ts";

const SHOWN = 20;

/**
 * `telltale deadletters list`, `show`, `republish` and `drop` look after the stream `telltale:deadletters`. The exit code
 * is 1 if something was not done, and 78 if no Redis is configured. Only REDIS_* and HISTORY_* are read from the
 * environment, as the gateway reads them.
 */
export function addDeadLetters(command: Command): void {
  command.description(
    "Lists, republishes and drops what could not be delivered. Run it with the gateway's environment.",
  );
  command
    .command("list")
    .description("the newest letters, the newest last")
    .option("--channel <name>", "only those of this channel, as analysis:… or telltale:inbox")
    .option("--reason <text>", "only those whose reason holds this")
    .option("--limit <count>", "how many at most", parseCount, SHOWN)
    .option("--json", "one JSON object a line, with the payload")
    .action(list);
  command
    .command("show")
    .description("one letter whole")
    .argument("<id>")
    .option("--json", "as a JSON object")
    .action(show);
  command
    .command("republish")
    .description("judges letters again and stores them as events, once; those still invalid stay")
    .argument("[id...]")
    .option("--channel <name>", "all of this channel")
    .option("--all", "all there are")
    .action(republish);
  command.command("drop").description("removes letters for good").argument("<id...>").action(drop);
}

interface ListOptions {
  readonly channel?: string;
  readonly reason?: string;
  readonly limit: number;
  readonly json?: true;
}

interface RepublishOptions {
  readonly channel?: string;
  readonly all?: true;
}

const clock = new SystemClock();
/** Writes errors alone: everything else that a command says is its own output. */
class ErrorsOnly extends QuietTelemetry {
  override log(level: LogLevel, message: string, fields?: LogFields): void {
    if (level === "error") console.error(message, fields ?? "");
  }
}
const telemetry = new ErrorsOnly();

async function list({ channel, reason, limit, json }: ListOptions): Promise<void> {
  await withLetters(async (letters) => {
    const found: KeptDeadLetter[] = [];
    for await (const letter of letters.read("newest")) {
      if (channel !== undefined && letter.channel !== channel) continue;
      if (reason !== undefined && !letter.reason.includes(reason)) continue;
      found.unshift(letter);
      if (found.length === limit) break;
    }
    for (const letter of found) console.log(json ? JSON.stringify(letter) : lineOf(letter));
    if (found.length === 0 && !json) console.error("no dead letters");
  });
}

async function show(id: string, { json }: { readonly json?: true }): Promise<void> {
  await withLetters(async (letters) => {
    const letter = await letters.find(id);
    if (letter === undefined) throw notThere(id);
    console.log(json ? JSON.stringify(letter) : `${lineOf(letter)}\n${printable(letter.payload)}`);
  });
}

async function republish(ids: readonly string[], { channel, all }: RepublishOptions): Promise<void> {
  const said = [ids.length > 0, channel !== undefined, all === true].filter(Boolean).length;
  if (said !== 1) throw new CommandFailed(EXIT.usage, "error: give ids, or --channel, or --all");
  await withLetters(async (letters, config) => {
    const pubSub = new RedisPubSub({ ...config, clock, telemetry });
    const use = new RepublishDeadLetter(letters, pubSub);
    let [stored, kept] = [0, 0];
    const attempt = async (letter: KeptDeadLetter) => {
      const outcome = await use.execute(letter);
      if (outcome.type === "stored") stored++;
      else {
        kept++;
        console.error(`${letter.id}  ${printable(letter.channel)}  stays: ${outcome.reason}`);
      }
    };
    try {
      for (const id of ids) {
        const letter = await letters.find(id);
        if (letter !== undefined) await attempt(letter);
        else {
          kept++;
          console.error(notThere(id).message);
        }
      }
      // Oldest first, so that the events of an analysis keep their order.
      if (ids.length === 0)
        for await (const letter of letters.read("oldest"))
          if (all || letter.channel === channel) await attempt(letter);
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) throw error;
      throw new CommandFailed(
        EXIT.notDone,
        `${error.message}. Run it again: what was stored is not stored twice.`,
      );
    } finally {
      console.log(`${stored} stored, ${kept} left`);
      await pubSub.close();
    }
    if (kept > 0) throw new CommandFailed(EXIT.notDone, "");
  });
}

async function drop(ids: readonly string[]): Promise<void> {
  await withLetters(async (letters) => {
    const missing: string[] = [];
    for (const id of ids) if (!(await letters.remove(id))) missing.push(id);
    console.log(`${ids.length - missing.length} dropped`);
    if (missing.length > 0)
      throw new CommandFailed(EXIT.notDone, missing.map((id) => notThere(id).message).join("\n"));
  });
}

interface UsedConfig {
  readonly target: Config["broker"] & { readonly kind: "redis" };
  readonly history: { readonly size: number; readonly ttlMs: number };
  readonly waitReplicas: number | "seen";
}

async function withLetters(
  use: (letters: RedisDeadLetters, config: UsedConfig) => Promise<void>,
): Promise<void> {
  const config = configured();
  const letters = new RedisDeadLetters({ target: config.target, clock, telemetry });
  try {
    await use(letters, config);
  } finally {
    await letters.close();
  }
}

/** The broker's settings. No other setting is read: a fault in those of the gateway does not spoil this command. */
function configured(): UsedConfig {
  const used = Object.entries(process.env).filter(([name]) =>
    /^(?:BROKER|REDIS_\w+|HISTORY_\w+)$/.test(name),
  );
  const { broker, historySize, historyTtlMs } = readConfig(Object.fromEntries(used));
  if (broker.kind !== "redis") {
    throw new CommandFailed(EXIT.configuration, "No Redis is configured. Set REDIS_URL as for the gateway.");
  }
  return {
    target: broker,
    history: { size: historySize, ttlMs: historyTtlMs },
    waitReplicas: broker.waitReplicas,
  };
}

function lineOf({ id, at, channel, reason }: KeptDeadLetter): string {
  return [id, at, channel, reason].map(printable).join("  ");
}

/** Escapes control characters: a worker may have written some that a terminal obeys. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

function notThere(id: string): CommandFailed {
  return new CommandFailed(EXIT.notDone, `${printable(id)}: no such letter`);
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("Give a whole number from 1.");
  return Number(text);
}
