import { BrokerUnavailable, OutcomeUnknown } from "../../application/errors.ts";
import { reasonOf } from "../../application/reason-of.ts";

/** Replies by which Redis says that it did not carry out the command. */
const REFUSALS = new Set([
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "MISCONF",
  "NOAUTH",
  "NOPERM",
  "NOREPLICAS",
  "OOM",
  "READONLY",
  "TRYAGAIN",
  "WRONGPASS",
]);

export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Command timed out";
}

/** What a failed command that writes means to the caller; what is neither is a fault of ours and stays as it is. */
export function writeFailure(error: unknown): unknown {
  if (isReply(error) && wasCutShort(error)) {
    return new OutcomeUnknown(`Redis stopped a script midway: ${reasonOf(error)}`, { cause: error });
  }
  if (isReply(error)) return isRefusal(error) ? unavailable(error) : error;
  if (wasNotSent(error)) return unavailable(error);
  return new OutcomeUnknown(`Redis did not answer: ${reasonOf(error)}`, { cause: error });
}

/** As `writeFailure`, of a command that changes nothing: without an answer nothing happened. */
export function readFailure(error: unknown): unknown {
  return isReply(error) && !isRefusal(error) && !wasCutShort(error) ? error : unavailable(error);
}

/** Its user may not do something that the script does: what was written until there stays. */
function wasCutShort(error: Error): boolean {
  return error.message.startsWith("ERR The user executing the script");
}

function isRefusal(error: Error): boolean {
  return REFUSALS.has(error.message.slice(0, error.message.search(/[ :]|$/)));
}

/** The client refuses before it writes to a socket that it knows to be closed. */
function wasNotSent(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Stream isn't writeable");
}

function unavailable(error: unknown): BrokerUnavailable {
  return new BrokerUnavailable(`Redis refused or is away: ${reasonOf(error)}`, { cause: error });
}
