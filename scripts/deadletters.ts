/**
 * Looks after the stream `telltale:deadletters`: `npm run deadletters -- list`, `show`, `republish`, `drop`.
 * Exit code 1: something was not done. 2: bad arguments. 78: no Redis is configured, or badly.
 * Takes REDIS_* and HISTORY_* from the environment, as the gateway does: run it with the gateway's.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { RedisDeadLetters } from "../src/adapters/redis/redis-dead-letters.ts";
import { RedisPubSub } from "../src/adapters/redis/redis-pub-sub.ts";
import { SystemClock } from "../src/adapters/system/system-clock.ts";
import { OutcomeUnknown } from "../src/application/errors.ts";
import type { KeptDeadLetter } from "../src/application/ports/dead-letter-port.ts";
import type { TelemetryPort } from "../src/application/ports/telemetry-port.ts";
import { reasonOf } from "../src/application/reason-of.ts";
import { RepublishDeadLetter } from "../src/application/republish-dead-letter.ts";
import { type Config, loadConfig } from "../src/gateway/config/config.ts";

const EXIT_NOT_DONE = 1;
const EXIT_USAGE = 2;
const EXIT_CONFIG = 78;
const SHOWN = 20;

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

/** Ends the command with its exit code. */
class Exit extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const clock = new SystemClock();
/** Only what goes wrong is told: the rest is the command's own output. */
const telemetry: TelemetryPort = {
  log: (level, message, fields) => {
    if (level === "error") console.error(message, fields ?? "");
  },
  count: () => {},
};

const program = new Command("deadletters")
  .description(
    "Lists, republishes and drops what could not be delivered. Run it with the gateway's environment.",
  )
  .exitOverride();
program
  .command("list")
  .description("the newest letters, the newest last")
  .option("--channel <name>", "only those of this channel, as analysis:… or telltale:inbox")
  .option("--reason <text>", "only those whose reason holds this")
  .option("--limit <count>", "how many at most", parseCount, SHOWN)
  .option("--json", "one JSON object a line, with the payload")
  .action(list);
program
  .command("show")
  .description("one letter whole")
  .argument("<id>")
  .option("--json", "as a JSON object")
  .action(show);
program
  .command("republish")
  .description("judges letters again and stores them as events, once; those still invalid stay")
  .argument("[id...]")
  .option("--channel <name>", "all of this channel")
  .option("--all", "all there are")
  .action(republish);
program.command("drop").description("removes letters for good").argument("<id...>").action(drop);

process.exitCode = await run();

async function run(): Promise<number> {
  try {
    await program.parseAsync();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (error instanceof Exit && error.message === "") return error.code;
    console.error(reasonOf(error));
    return error instanceof Exit ? error.code : EXIT_NOT_DONE;
  }
}

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
  if (said !== 1) throw new Exit(EXIT_USAGE, "error: give ids, or --channel, or --all");
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
      throw new Exit(EXIT_NOT_DONE, `${error.message}. Run it again: what was stored is not stored twice.`);
    } finally {
      console.log(`${stored} stored, ${kept} left`);
      await pubSub.close();
    }
    if (kept > 0) throw new Exit(EXIT_NOT_DONE, "");
  });
}

async function drop(ids: readonly string[]): Promise<void> {
  await withLetters(async (letters) => {
    const missing: string[] = [];
    for (const id of ids) if (!(await letters.remove(id))) missing.push(id);
    console.log(`${ids.length - missing.length} dropped`);
    if (missing.length > 0)
      throw new Exit(EXIT_NOT_DONE, missing.map((id) => notThere(id).message).join("\n"));
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

/** What the stream and an append need alone: a gateway's other settings may be at fault without spoiling this. */
function configured(): UsedConfig {
  const used = Object.entries(process.env).filter(([name]) =>
    /^(?:BROKER|REDIS_\w+|HISTORY_\w+)$/.test(name),
  );
  const loaded = loadConfig(Object.fromEntries(used), (path) => readFileSync(path, "utf8"));
  if (!loaded.ok) {
    throw new Exit(EXIT_CONFIG, loaded.faults.map(({ name, message }) => `${name}: ${message}`).join("\n"));
  }
  const { broker, historySize, historyTtlMs } = loaded.config;
  if (broker.kind !== "redis") {
    throw new Exit(EXIT_CONFIG, "No Redis is configured. Set REDIS_URL as for the gateway.");
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

/** What workers wrote may hold anything, also what a terminal obeys. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

function notThere(id: string): Exit {
  return new Exit(EXIT_NOT_DONE, `${printable(id)}: no such letter`);
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("Give a whole number from 1.");
  return Number(text);
}
