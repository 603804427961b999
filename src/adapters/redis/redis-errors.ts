import type { BrokerCause, BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable, OutcomeUnknown, reasonOf } from "../../application/errors.ts";

/** The first words of replies by which Redis says that it did not carry out the command, and why. */
const REFUSALS: Readonly<Record<string, BrokerCause>> = {
  ASK: "busy",
  BUSY: "busy",
  CLUSTERDOWN: "cluster",
  DENIED: "credentials",
  IDSUSEDUP: "ids_used_up",
  LOADING: "loading",
  MASTERDOWN: "read_only",
  MISCONF: "disk",
  MOVED: "cluster",
  NOAUTH: "credentials",
  NOPERM: "permission",
  NOREPLICAS: "replicas",
  OOM: "full",
  READONLY: "read_only",
  TRYAGAIN: "busy",
  UNBLOCKED: "read_only",
  WRONGPASS: "credentials",
};

/** Replies that begin with ERR and refuse the connection itself. */
const CONNECTION_FAULTS: readonly (readonly [begins: string, BrokerCause])[] = [
  ["ERR max number of clients", "too_many_clients"],
  ["ERR DB index is out of range", "database"],
  ["ERR invalid DB index", "database"],
  ["ERR SELECT is not allowed", "cluster"],
  ["ERR This instance has cluster support disabled", "cluster"],
  ["ERR AUTH", "credentials"],
  ["ERR invalid password", "credentials"],
  ["ERR WAIT cannot be used with replica", "read_only"],
];

export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** A server of a Cluster answers so if another one owns the slot. The host is "" if it is that of the server itself. */
interface Moved {
  readonly slot: number;
  readonly to: { readonly host: string; readonly port: number };
}

/** Reads from a failure, or from its cause, that the slot has moved. Then nothing was done. */
export function movedTo(error: unknown): Moved | undefined {
  if (error instanceof BrokerUnavailable) return movedTo(error.cause);
  const [, slot, host = "", port] = (isReply(error) && /^MOVED (\d+) (.*):(\d+)$/.exec(error.message)) || [];
  if (slot === undefined) return undefined;
  return { slot: Number(slot), to: { host: host === "?" ? "" : host, port: Number(port) } };
}

/** Whether a server of a Cluster did nothing because the slot is elsewhere, or on its way there. */
export function isAboutSlot(error: unknown): boolean {
  const reply = error instanceof BrokerUnavailable ? error.cause : error;
  return isReply(reply) && /^(MOVED|ASK|TRYAGAIN) /.test(reply.message);
}

/** Redis answers so to a command that waits when it becomes a replica, and closes the connection. */
export function isDemotion(error: unknown): boolean {
  return isReply(error) && error.message.startsWith("UNBLOCKED");
}

/** A Cluster refuses a script whose keys lie in several slots. */
export function isCrossSlot(error: unknown): boolean {
  return isReply(error) && error.message.startsWith("CROSSSLOT");
}

export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Command timed out";
}

/** Reads from a failure what is wrong with the broker: the cause of a reply, or that no connection or answer came. */
export function troubleOf(error: unknown): BrokerTrouble {
  if (isTimeout(error)) return { cause: "silent" };
  if (!isReply(error)) return { cause: "unreachable" };
  const { message } = error;
  if (isDenied(message)) return { cause: "permission", permission: permissionOf(message) };
  const refusal = refusalOf(error) ?? CONNECTION_FAULTS.find(([begins]) => message.startsWith(begins))?.[1];
  return { cause: refusal ?? "fault" };
}

/**
 * Translates the failure of a command that writes into `BrokerUnavailable` or `OutcomeUnknown`. Any other failure is a
 * fault of ours and stays as it is. If Redis stopped a script, its text tells whether it had written before.
 */
export function writeFailure(error: unknown, script = ""): unknown {
  const denied = isReply(error) ? deniedInScript(error.message, script) : undefined;
  if (denied !== undefined) {
    const trouble = { cause: "permission", permission: denied.permission } as const;
    if (denied.nothingWritten) return unavailable(error, trouble);
    return new OutcomeUnknown(`Redis stopped a script midway: ${reasonOf(error)}`, { cause: error, trouble });
  }
  if (isReply(error)) return refusalOf(error) === undefined ? error : unavailable(error);
  if (wasNotSent(error)) return unavailable(error);
  const trouble = { cause: "silent" } as const;
  return new OutcomeUnknown(`Redis did not answer: ${reasonOf(error)}`, { cause: error, trouble });
}

/** Does the same for a command that changes nothing: without an answer nothing happened. */
export function readFailure(error: unknown, script = ""): unknown {
  const denied = isReply(error) ? deniedInScript(error.message, script) : undefined;
  if (denied !== undefined) {
    return unavailable(error, { cause: "permission", permission: denied.permission });
  }
  return isReply(error) && refusalOf(error) === undefined ? error : unavailable(error);
}

function refusalOf({ message }: Error): BrokerCause | undefined {
  const code = message.slice(0, message.search(/[ :]|$/));
  return Object.hasOwn(REFUSALS, code) ? REFUSALS[code] : undefined;
}

/** The client refuses before it writes to a socket that it knows to be closed. */
function wasNotSent(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Stream isn't writeable");
}

function unavailable(error: unknown, trouble: BrokerTrouble = troubleOf(error)): BrokerUnavailable {
  return new BrokerUnavailable(`Redis refused or is away: ${reasonOf(error)}`, { cause: error, trouble });
}

/** The words of Redis 7.0 and of later ones if its user lacks a permission. */
const COMMAND = /(?:no permissions to run the|can't run the) '([A-Za-z|._-]{1,40})' command/;
const KEYS =
  /permissions to access (?:one of the keys|a key|the '.*' key)|can't access at least one of the keys/;
const CHANNELS =
  /permissions to access (?:one of the channels|a channel|the '.*' channel)|can't publish to the channel/;
const IN_SCRIPT = /^(?:ERR )?(?:The user executing the script |ACL failure in script)/;
const LINE = /@user_script:(\d+)/;

/** Commands of our scripts that come before their first write. */
const BEFORE_WRITES: ReadonlySet<string> = new Set(["TIME", "HMGET", "INFO", "HEXISTS"]);

function isDenied(message: string): boolean {
  return message.startsWith("NOPERM") || IN_SCRIPT.test(message);
}

/** Reads which command, keys or channels are forbidden. `script` is the text that the message is about. */
function permissionOf(message: string, script = ""): string | undefined {
  const command = COMMAND.exec(message)?.[1] ?? commandOnLine(message, script);
  if (KEYS.test(message)) return command === undefined ? "keys" : `keys of ${command.toUpperCase()}`;
  if (CHANNELS.test(message))
    return command === undefined ? "channels" : `channels of ${command.toUpperCase()}`;
  return command?.toUpperCase();
}

/** Reads at which command Redis stopped a script for want of a permission. Everything written until then remains. */
function deniedInScript(
  message: string,
  script: string,
): { readonly permission: string | undefined; readonly nothingWritten: boolean } | undefined {
  if (!IN_SCRIPT.test(message)) return undefined;
  const command = commandOnLine(message, script) ?? "";
  return { permission: permissionOf(message, script), nothingWritten: BEFORE_WRITES.has(command) };
}

/** Redis 7.0 names the line of the script and not its command. Gives the commands of that line. */
function commandOnLine(message: string, script: string): string | undefined {
  const line = LINE.exec(message)?.[1];
  if (line === undefined) return undefined;
  const text = script.split("\n")[Number(line) - 1] ?? "";
  const commands = new Set(Array.from(text.matchAll(/\bcall\('([A-Z]+)'/g), ([, command]) => command));
  return commands.size === 0 ? undefined : [...commands].join(" or ");
}
