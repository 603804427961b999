import { type Command, InvalidArgumentError } from "commander";
import { SystemClock } from "../../adapters/system/system-clock.ts";
import { QuietTelemetry } from "../../adapters/telemetry/quiet-telemetry.ts";
import { OutcomeUnknown } from "../../application/errors.ts";
import { type BrokerPorts, closeBroker } from "../../application/ports/broker-ports.ts";
import type { KeptDeadLetter } from "../../application/ports/dead-letter-port.ts";
import type { LogFields, LogLevel } from "../../application/ports/telemetry-port.ts";
import { RepublishDeadLetter } from "../../application/republish-dead-letter.ts";
import { eventRules } from "../../domain/event-rules.ts";
import { openBroker } from "../brokers.ts";
import type { Config } from "../config/config.ts";
import { CommandFailed, readConfig } from "./command-failed.ts";
import { addExamples } from "./command-help.ts";
import { EXIT } from "./exit-codes.ts";
import { printable, printableJson } from "./printable.ts";
import { err, out } from "./standard-streams.ts";

const SHOWN = 20;

/**
 * `telltale deadletters list`, `show`, `republish` and `drop` act on the dead letters of the broker. The exit code
 * is 1 if something was not done, and 78 if no broker outside the gateway is configured. Only BROKER, REDIS_*, NATS_*
 * and HISTORY_* are read from the environment, as the gateway reads them; a module of a broker reads its own settings.
 */
export function addDeadLetters(command: Command): void {
  command.description(
    "lists, republishes and drops what could not be stored; run it with the gateway's environment",
  );
  addExamples(
    command
      .command("list")
      .description("lists the newest dead letters, the newest last")
      .option("--channel <name>", "only those of this channel, as analysis:… or telltale:inbox")
      .option("--reason <text>", "only those whose reason holds this")
      .option("--limit <count>", "how many at most", parseCount, SHOWN)
      .option("--json", "one JSON object a line, with the payload")
      .action(list),
    ["telltale deadletters list --reason progress", "those that were refused for their progress"],
    ["telltale deadletters list --json --limit 100 | jq .payload", "what workers sent, for scripts"],
  );
  addExamples(
    command
      .command("show")
      .description("shows one dead letter whole")
      .argument("<id>", "as `list` shows it")
      .option("--json", "as a JSON object")
      .action(show),
    ["telltale deadletters show 1795560575926-0", "with its payload"],
  );
  addExamples(
    command
      .command("republish")
      .description("judges dead letters again and stores them as events, once; those still invalid stay")
      .argument("[id...]", "as `list` shows them")
      .option("--channel <name>", "all of this channel")
      .option("--all", "all there are")
      .action(republish),
    ["telltale deadletters republish 1795560575926-0", "one of them"],
    ["telltale deadletters republish --all", "after an upgrade that knows what it did not know before"],
  );
  addExamples(
    command
      .command("drop")
      .description("removes dead letters for good")
      .argument("<id...>", "as `list` shows them")
      .action(drop),
    ["telltale deadletters drop 1795560575926-0", "one of them"],
  );
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

async function list({ channel, reason, limit, json }: ListOptions): Promise<void> {
  await withBroker(async ({ deadLetters }) => {
    const found: KeptDeadLetter[] = [];
    for await (const deadLetter of deadLetters.read("newest")) {
      if (channel !== undefined && deadLetter.channel !== channel) continue;
      if (reason !== undefined && !deadLetter.reason.includes(reason)) continue;
      found.unshift(deadLetter);
      if (found.length === limit) break;
    }
    for (const deadLetter of found)
      out(`${json ? printableJson(JSON.stringify(deadLetter)) : lineOf(deadLetter)}\n`);
    if (found.length === 0 && !json) err("no dead letters");
  });
}

async function show(id: string, { json }: { readonly json?: true }): Promise<void> {
  await withBroker(async ({ deadLetters }) => {
    const found = await deadLetters.find(id);
    if (found === undefined) throw notThere(id);
    const text = json
      ? printableJson(JSON.stringify(found))
      : `${lineOf(found)}\n${printable(found.payload)}`;
    out(`${text}\n`);
  });
}

async function republish(ids: readonly string[], { channel, all }: RepublishOptions): Promise<void> {
  const given = [ids.length > 0, channel !== undefined, all === true].filter(Boolean).length;
  if (given !== 1) throw new CommandFailed(EXIT.usage, "error: give ids, or --channel, or --all");
  await withBroker(async ({ deadLetters, events }, { stages }) => {
    const use = new RepublishDeadLetter(deadLetters, events, eventRules(stages));
    let [stored, kept] = [0, 0];
    const attempt = async (deadLetter: KeptDeadLetter) => {
      const outcome = await use.execute(deadLetter);
      if (outcome.type === "stored") stored++;
      else {
        kept++;
        err(`${deadLetter.id}  ${printable(deadLetter.channel)}  stays: ${outcome.reason}`);
      }
    };
    try {
      for (const id of ids) {
        const found = await deadLetters.find(id);
        if (found !== undefined) await attempt(found);
        else {
          kept++;
          err(notThere(id).message);
        }
      }
      // The oldest comes first, so that the events of an analysis keep their order.
      if (ids.length === 0)
        for await (const deadLetter of deadLetters.read("oldest"))
          if (all || deadLetter.channel === channel) await attempt(deadLetter);
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) throw error;
      throw new CommandFailed(
        EXIT.notDone,
        `${error.message}. Run it again: what was stored is not stored twice.`,
      );
    } finally {
      out(`${stored} stored, ${kept} left\n`);
    }
    if (kept > 0) throw new CommandFailed(EXIT.notDone);
  });
}

async function drop(ids: readonly string[]): Promise<void> {
  await withBroker(async ({ deadLetters }) => {
    const missing: string[] = [];
    for (const id of ids) if (!(await deadLetters.remove(id))) missing.push(id);
    out(`${ids.length - missing.length} dropped\n`);
    if (missing.length > 0)
      throw new CommandFailed(EXIT.notDone, missing.map((id) => notThere(id).message).join("\n"));
  });
}

/** Opens the configured broker for `use`. Nothing but the ports that are used is connected. */
async function withBroker(use: (broker: BrokerPorts, config: Config) => Promise<void>): Promise<void> {
  const config = usedConfig();
  const broker = await openBroker(config, new SystemClock(), new ErrorsOnly());
  try {
    await use(broker, config);
  } finally {
    await closeBroker(broker);
  }
}

/** Writes errors alone: everything else that a command says is its own output. */
class ErrorsOnly extends QuietTelemetry {
  override log(level: LogLevel, message: string, fields?: LogFields): void {
    if (level === "error") err(fields === undefined ? message : `${message} ${JSON.stringify(fields)}`);
  }
}

/** The settings of the broker and of events. No other is read: a fault in those of the gateway does not spoil this command. */
function usedConfig(): Config {
  const used = Object.entries(process.env).filter(([name]) =>
    /^(?:BROKER|REDIS_\w+|NATS_\w+|HISTORY_\w+|STAGES)$/.test(name),
  );
  const config = readConfig(Object.fromEntries(used));
  // The dead letters in the memory of another process cannot be reached.
  if (config.broker.kind === "memory") {
    throw new CommandFailed(
      EXIT.configuration,
      "The broker is memory, which other processes cannot reach. Set REDIS_URL, NATS_URL or BROKER as for the gateway.",
    );
  }
  return config;
}

function lineOf({ id, at, channel, reason }: KeptDeadLetter): string {
  return [id, at, channel, reason].map(printable).join("  ");
}

function notThere(id: string): CommandFailed {
  return new CommandFailed(EXIT.notDone, `${printable(id)}: no such letter`);
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("Give a whole number from 1.");
  return Number(text);
}
