import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { reasonOf } from "../application/errors.ts";
import type { BrokerPorts } from "../application/ports/broker-ports.ts";
import type { BrokerContext, OpenBroker } from "../package/ports.ts";
import { CommandFailed } from "./commands/command-failed.ts";
import { EXIT } from "./commands/exit-codes.ts";

/** A module waits for nothing before it gives its ports: it connects in the background. */
const LOADED_MS = 10_000;
const LIMIT = `within ${LOADED_MS / 1_000} s`;

/**
 * Opens the broker of a module from outside: `module` is a path from the working directory, or the name of a package that
 * is installed there. Rejects with `CommandFailed` and code 78 if there is no such module, if it is none for a broker, or
 * if it takes more than 10 s to load or to open.
 */
export async function openBrokerModule(module: string, context: BrokerContext): Promise<BrokerPorts> {
  const open = await inTime(load(module), context, () =>
    unusable(module, `the module was not loaded ${LIMIT}`),
  );
  const broker = await inTime(opened(module, open, context), context, () =>
    unusable(module, `openBroker did not answer ${LIMIT}`),
  );
  const faults = faultsOf(broker);
  if (faults.length > 0) throw unusable(module, `openBroker gives ${faults.join(", and ")}`);
  return broker as BrokerPorts;
}

/** Settles as `work` does, and rejects with `late` if that takes too long. */
async function inTime<Answer>(
  work: Promise<Answer>,
  { clock }: BrokerContext,
  late: () => CommandFailed,
): Promise<Answer> {
  const over = Promise.withResolvers<never>();
  const cancel = clock.after(LOADED_MS, () => over.reject(late()));
  try {
    return await Promise.race([work, over.promise]);
  } finally {
    cancel();
  }
}

async function opened(module: string, open: OpenBroker, context: BrokerContext): Promise<unknown> {
  try {
    return await open(context);
  } catch (error) {
    throw unusable(module, `openBroker failed: ${reasonOf(error)}`);
  }
}

async function load(module: string): Promise<OpenBroker> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = await import(pathToFileURL(find(module)).href);
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    throw unusable(module, `the module cannot be loaded: ${reasonOf(error)}`);
  }
  if (typeof exported.openBroker !== "function")
    throw unusable(module, "the module exports no function openBroker");
  return exported.openBroker as OpenBroker;
}

/** A file that is there goes before a package of the same name. */
function find(module: string): string {
  const path = resolve(module);
  if (existsSync(path)) return createRequire(path).resolve(path);
  try {
    return createRequire(resolve("package.json")).resolve(module);
  } catch (error) {
    throw unusable(module, `there is no such module (${codeOf(error)})`);
  }
}

type Members<Port> = Readonly<
  Record<
    Exclude<keyof Port, "trouble" | "away" | "requestCancel" | "signOfLife">,
    "function" | "string" | "number" | "boolean" | "object"
  >
>;

/** The members of each port that every adapter has, with their types. */
const EVENTS: Members<BrokerPorts["events"]> = {
  kind: "string",
  mostBytes: "number",
  durability: "object",
  append: "function",
  snapshot: "function",
  viewers: "function",
  history: "function",
  positions: "function",
  subscribe: "function",
  declareViewers: "function",
  health: "function",
  close: "function",
};
const DEAD_LETTERS: Members<BrokerPorts["deadLetters"]> = {
  keep: "function",
  read: "function",
  find: "function",
  remove: "function",
  close: "function",
};
const WORKER_CHANNELS: Members<NonNullable<BrokerPorts["workerChannels"]>> = {
  listen: "function",
  stopListening: "function",
  listening: "function",
  close: "function",
};
const INBOX: Members<NonNullable<BrokerPorts["inbox"]>> = {
  takesWorkerChannels: "boolean",
  take: "function",
  arrival: "function",
  remove: "function",
  release: "function",
  backlog: "function",
  compareIds: "function",
  close: "function",
};
const PORTS = { events: EVENTS, deadLetters: DEAD_LETTERS, workerChannels: WORKER_CHANNELS, inbox: INBOX };
const CAPABILITIES: readonly string[] = ["workerChannels", "inbox"];

function faultsOf(broker: unknown): string[] {
  if (!isObject(broker)) return ["no ports"];
  return Object.entries(PORTS).flatMap(([name, members]) => {
    const port = broker[name];
    if (port === undefined) return CAPABILITIES.includes(name) ? [] : [`no port ${name}`];
    if (!isObject(port)) return [`a port ${name} that is no object`];
    const missing = Object.entries(members).filter(([member, type]) => typeof port[member] !== type);
    if (missing.length === 0) return [];
    return [`a port ${name} without ${missing.map(([member]) => member).join(", ")}`];
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : reasonOf(error);
}

function unusable(module: string, why: string): CommandFailed {
  return new CommandFailed(EXIT.configuration, `BROKER: module:${module}: ${why}`);
}
