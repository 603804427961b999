import type { BrokerCause, BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable, OutcomeUnknown, reasonOf } from "../../application/errors.ts";

/** Replies by which Redis says that it did not carry out the command, and why. */
const REFUSALS: Readonly<Record<string, BrokerCause>> = {
  BUSY: "busy",
  CLUSTERDOWN: "cluster",
  DENIED: "credentials",
  LOADING: "loading",
  MASTERDOWN: "read_only",
  MISCONF: "disk",
  NOAUTH: "credentials",
  NOPERM: "permission",
  NOREPLICAS: "replicas",
  OOM: "full",
  READONLY: "read_only",
  TRYAGAIN: "busy",
  UNBLOCKED: "read_only",
  WRONGPASS: "credentials",
};

/** Replies that begin with ERR and are none to a command: what the connection itself was refused for. */
const CONNECTION_FAULTS: readonly (readonly [begins: string, BrokerCause])[] = [
  ["ERR max number of clients", "too_many_clients"],
  ["ERR DB index is out of range", "database"],
  ["ERR invalid DB index", "database"],
  ["ERR SELECT is not allowed", "cluster"],
  ["ERR AUTH", "credentials"],
  ["ERR invalid password", "credentials"],
  ["ERR WAIT cannot be used with replica", "read_only"],
];

export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** What a command that waits is answered when its server becomes a replica, which closes the connection. */
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

/** What a failure says of the broker: of a reply its cause, else that there is no connection or no answer. */
export function troubleOf(error: unknown): BrokerTrouble {
  if (isTimeout(error)) return { cause: "silent" };
  if (!isReply(error)) return { cause: "unreachable" };
  const { message } = error;
  if (isDenied(message)) return { cause: "permission", permission: permissionOf(message) };
  const refusal = refusalOf(error) ?? CONNECTION_FAULTS.find(([begins]) => message.startsWith(begins))?.[1];
  return { cause: refusal ?? "fault" };
}

/**
 * What a failed command that writes means to the caller; what is neither is a fault of ours and stays as it is. Of a
 * script that Redis stopped, its text tells whether anything was written before.
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

/** As `writeFailure`, of a command that changes nothing: without an answer nothing happened. */
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

/** What Redis wrote where its user may not do something, in the words of Redis 7.0 and of later ones. */
const COMMAND = /(?:no permissions to run the|can't run the) '([A-Za-z|._-]{1,40})' command/;
const KEYS =
  /permissions to access (?:one of the keys|a key|the '.*' key)|can't access at least one of the keys/;
const CHANNELS =
  /permissions to access (?:one of the channels|a channel|the '.*' channel)|can't publish to the channel/;
const IN_SCRIPT = /^(?:ERR )?(?:The user executing the script |ACL failure in script)/;
const LINE = /@user_script:(\d+)/;

/** Commands of our scripts that come before whatever they write. */
const BEFORE_WRITES: ReadonlySet<string> = new Set(["TIME", "HMGET", "INFO", "HEXISTS"]);

function isDenied(message: string): boolean {
  return message.startsWith("NOPERM") || IN_SCRIPT.test(message);
}

/** The name of the command, or what may not be used; `script` is the text that the message is about. */
function permissionOf(message: string, script = ""): string | undefined {
  const command = COMMAND.exec(message)?.[1] ?? commandOnLine(message, script);
  if (KEYS.test(message)) return command === undefined ? "keys" : `keys of ${command.toUpperCase()}`;
  if (CHANNELS.test(message))
    return command === undefined ? "channels" : `channels of ${command.toUpperCase()}`;
  return command?.toUpperCase();
}

/** Where Redis stopped a script for want of a right: what was written until there stays. */
function deniedInScript(
  message: string,
  script: string,
): { readonly permission: string | undefined; readonly nothingWritten: boolean } | undefined {
  if (!IN_SCRIPT.test(message)) return undefined;
  const command = commandOnLine(message, script) ?? "";
  return { permission: permissionOf(message, script), nothingWritten: BEFORE_WRITES.has(command) };
}

/** Redis 7.0 names the line of the script and not its command, which stands there: one of them, where it has several. */
function commandOnLine(message: string, script: string): string | undefined {
  const line = LINE.exec(message)?.[1];
  if (line === undefined) return undefined;
  const text = script.split("\n")[Number(line) - 1] ?? "";
  const commands = new Set(Array.from(text.matchAll(/\bcall\('([A-Z]+)'/g), ([, command]) => command));
  return commands.size === 0 ? undefined : [...commands].join(" or ");
}
