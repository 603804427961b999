import {
  AuthorizationError,
  ClosedConnectionError,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";
import type { BrokerCause, BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerError, BrokerUnavailable, OutcomeUnknown, reasonOf } from "../../application/errors.ts";

/** JetStream's answer to a request that it did not carry out. `number` is its `err_code`. */
export class JetStreamRefusal extends Error {
  readonly number: number;
  readonly description: string;

  constructor(number: number, description: string) {
    super(`JetStream refused: ${description} (${number})`);
    this.name = "JetStreamRefusal";
    this.number = number;
    this.description = description;
  }
}

/** Numbers of refusals that callers tell from others. */
export const REFUSED = {
  streamNotFound: 10059,
  noMessageFound: 10037,
  sequenceNotFound: 10043,
  deleteFailed: 10057,
  wrongLastMessageId: 10070,
  wrongLastSequence: 10071,
  subjectsOverlap: 10065,
  /** Another message with the same id is about to be stored. */
  idInProcess: 10158,
  /** Another message of the same subject is about to be stored. */
  subjectInProcess: 10164,
} as const;

/** By the `err_code` of JetStream. */
const CAUSES: Readonly<Record<number, BrokerCause>> = {
  // The account may keep no more.
  10002: "full",
  10005: "replicas",
  10007: "cluster",
  10008: "no_jetstream",
  10009: "no_jetstream",
  10023: "disk",
  // As many consumers, or streams, as the account may have.
  10026: "account_limit",
  10027: "account_limit",
  10028: "full",
  10035: "no_jetstream",
  10039: "no_jetstream",
  10047: "disk",
  // The message is larger than `max_msg_size` of the stream.
  10054: "stream_settings",
  10059: "no_jetstream",
  // The server that led the stream lags behind.
  10063: "cluster",
  // The subjects belong to another stream.
  10065: "stream_settings",
  10074: "replicas",
  10076: "no_jetstream",
  10077: "disk",
  // The stream is sealed.
  10109: "stream_settings",
  // The account takes no streams without a limit of bytes, or none so large.
  10113: "account_limit",
  10118: "no_jetstream",
  10122: "account_limit",
  10158: "busy",
  10163: "cluster",
  10167: "busy",
  10194: "no_jetstream",
};

/** Reads from a failure what is wrong with the broker. */
export function troubleOf(error: unknown): BrokerTrouble {
  if (error instanceof BrokerError) return error.trouble;
  if (error instanceof JetStreamRefusal) return { cause: causeOf(error) };
  const denied = deniedSubject(error);
  if (denied !== undefined) return { cause: "permission", permission: denied };
  if (isTimeout(error)) return { cause: "silent" };
  if (isNoResponders(error)) return { cause: "no_jetstream" };
  if (find(error, AuthorizationError) ?? find(error, UserAuthenticationExpiredError))
    return { cause: "credentials" };
  if (error instanceof Error && /maximum (account active )?connections/i.test(error.message))
    return { cause: "too_many_clients" };
  return { cause: "unreachable" };
}

/**
 * Translates the failure of a request that stores something into `BrokerUnavailable` or `OutcomeUnknown`. A refusal that is
 * not about the broker's state is a fault of ours and stays as it is.
 */
export function writeFailure(error: unknown): unknown {
  if (error instanceof BrokerError) return error;
  if (isAnswer(error)) return answerFailure(error);
  const trouble = { cause: "silent" } as const;
  return new OutcomeUnknown(`NATS did not answer: ${reasonOf(error)}`, { cause: error, trouble });
}

/** Does the same for a request that changes nothing: without an answer nothing happened. */
export function readFailure(error: unknown): unknown {
  if (error instanceof BrokerError) return error;
  return isAnswer(error) ? answerFailure(error) : unavailable(error);
}

export function isTimeout(error: unknown): boolean {
  return find(error, TimeoutError) !== undefined;
}

/** Nobody listens to the subject of a request: JetStream is not there, or the stream is gone. */
export function isNoResponders(error: unknown): boolean {
  return find(error, NoRespondersError) !== undefined;
}

export function isRefusal(error: unknown, number: number): error is JetStreamRefusal {
  return error instanceof JetStreamRefusal && error.number === number;
}

/** Whether a message was refused because another one than it expected is, or is about to be, the last of its subject. */
export function isConflict(error: unknown): boolean {
  return isRefusal(error, REFUSED.wrongLastSequence) || isRefusal(error, REFUSED.subjectInProcess);
}

function answerFailure(error: unknown): unknown {
  const isFault = error instanceof JetStreamRefusal && causeOf(error) === "fault";
  return isFault ? error : unavailable(error);
}

/** Whether the broker said that it did not do it, or the client sent nothing. */
function isAnswer(error: unknown): boolean {
  if (find(error, ClosedConnectionError) !== undefined) return true;
  return error instanceof JetStreamRefusal || isNoResponders(error) || deniedSubject(error) !== undefined;
}

function causeOf({ number, description }: JetStreamRefusal): BrokerCause {
  // The number of any failure to store.
  if (number === 10077 && /^maximum .* exceeded$/.test(description)) return "stream_full";
  return CAUSES[number] ?? "fault";
}

function unavailable(error: unknown): BrokerUnavailable {
  return new BrokerUnavailable(`NATS refused or is away: ${reasonOf(error)}`, {
    cause: error,
    trouble: troubleOf(error),
  });
}

/** How many parts of a subject are named: the ones after them may hold anything of a user's. */
const PARTS_NAMED = 4;

function deniedSubject(error: unknown): string | undefined {
  const denial = find(error, PermissionViolationError);
  if (denial === undefined) return undefined;
  const parts = denial.subject.split(".");
  const named = parts.slice(0, parts[0] === "telltale" ? PARTS_NAMED - 1 : PARTS_NAMED);
  return `${denial.operation} ${named.join(".")}`;
}

/** The error or the cause of it that is of the class: the client wraps the one that says what happened. */
function find<Found extends Error>(
  error: unknown,
  type: abstract new (...args: never[]) => Found,
): Found | undefined {
  if (error instanceof type) return error;
  return error instanceof Error ? find(error.cause, type) : undefined;
}
