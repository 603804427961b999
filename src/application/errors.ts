import { type BrokerTrouble, wordsOf } from "./broker-trouble.ts";
import type { LogLevel } from "./ports/telemetry-port.ts";

/** The codes of a `BrokerError`. */
const OF_BROKERS = ["broker_unavailable", "outcome_unknown", "newer_format"] as const;
type BrokerErrorCode = (typeof OF_BROKERS)[number];
/** The codes of all errors that an adapter of a broker throws. */
const OF_ADAPTERS = [...OF_BROKERS, "event_too_large"] as const;
type AdapterErrorCode = (typeof OF_ADAPTERS)[number];

/** Marks the errors of every copy of this file. */
const MARK = Symbol.for("telltale.error");

/**
 * An error that Telltale itself raises. `code` is stable and part of the interface; the message is for people.
 *
 * An adapter from outside may load a copy of this file of its own. So `instanceof` knows an error of another copy by its
 * code, if it is one that an adapter throws.
 */
export abstract class TelltaleError extends Error {
  /** The codes by which the class knows an error of another copy. Subclasses do not inherit them. */
  static readonly codes: readonly AdapterErrorCode[] = OF_ADAPTERS;
  readonly [MARK] = true;

  static override readonly [Symbol.hasInstance] = isInstance;

  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

interface ErrorClass {
  readonly codes: readonly AdapterErrorCode[];
}

function isInstance(this: ErrorClass, value: unknown): boolean {
  return Function.prototype[Symbol.hasInstance].call(this, value) || isOfOtherCopy(this, value);
}

function isOfOtherCopy(known: ErrorClass, value: unknown): boolean {
  if (!Object.hasOwn(known, "codes")) return false;
  return value instanceof Error && MARK in value && known.codes.some((code) => hasCode(value, code));
}

function hasCode(error: Error, code: string): boolean {
  return "code" in error && error.code === code;
}

/** The token is no good: its holder needs another one. The message never holds the token. */
export class TokenRejected extends TelltaleError {
  readonly code = "token_rejected";
}

/**
 * Neither yes nor no: nobody can decide now whether a token is good or a holder is allowed, because an issuer or another
 * service that has to be asked is away. The client may come back with the same token. The message is for the log alone.
 */
export class AccessUndecided extends TelltaleError {
  readonly code = "access_undecided";
  /** Whether the log has told of the cause already, so that it is not told again for each client. */
  readonly isTold: boolean;

  constructor(message: string, { isTold = false }: { readonly isTold?: boolean } = {}) {
    super(message);
    this.isTold = isTold;
  }
}

interface BrokerErrorOptions extends ErrorOptions {
  readonly trouble?: BrokerTrouble | undefined;
}

/** A failure of the broker. The message is for the log alone: it may hold an address, or the broker's own text. */
export abstract class BrokerError extends TelltaleError {
  static override readonly codes: readonly AdapterErrorCode[] = OF_BROKERS;
  abstract override readonly code: BrokerErrorCode;
  readonly trouble: BrokerTrouble;

  constructor(message: string, trouble: BrokerTrouble, options?: ErrorOptions) {
    super(message, options);
    this.trouble = trouble;
  }

  /** The reason in words that anybody may read. */
  get publicReason(): string {
    return wordsOf(this.trouble);
  }
}

/** The broker is known to be away or refused: nothing was stored, nor will be. */
export class BrokerUnavailable extends BrokerError {
  static override readonly codes = ["broker_unavailable"] as const;
  readonly code = "broker_unavailable";

  constructor(message: string, { trouble = { cause: "away" }, ...options }: BrokerErrorOptions = {}) {
    super(message, trouble, options);
  }
}

/** The command was sent and no answer came: it may have been carried out. Repeat it under the same idempotency key. */
export class OutcomeUnknown extends BrokerError {
  static override readonly codes = ["outcome_unknown"] as const;
  readonly code = "outcome_unknown";

  constructor(message: string, { trouble = { cause: "silent" }, ...options }: BrokerErrorOptions = {}) {
    super(message, trouble, options);
  }
}

/** A newer Telltale than this one wrote the data that the broker keeps. */
export class NewerFormat extends BrokerError {
  static override readonly codes = ["newer_format"] as const;
  readonly code = "newer_format";

  constructor(message: string) {
    super(message, { cause: "newer_format" });
  }
}

/** The broker takes no request of this size. It stored nothing, and never will. */
export class RequestTooLarge extends TelltaleError {
  static override readonly codes = ["event_too_large"] as const;
  readonly code = "event_too_large";
  /** The most bytes of the events of one request that the broker takes for sure. */
  readonly mostBytes: number;

  constructor(mostBytes: number) {
    super(`the broker takes at most ${mostBytes} bytes at once`);
    this.mostBytes = mostBytes;
  }
}

/** Too many reads wait, of this user or of all. Nothing was read. */
export class TooManyReads extends TelltaleError {
  readonly code: "too_many_connections" | "over_capacity";

  constructor(code: "too_many_connections" | "over_capacity") {
    super(code === "over_capacity" ? "too many reads wait" : "too many reads of this user wait");
    this.code = code;
  }
}

/** The client went away before its answer was read. */
export class ReadAbandoned extends TelltaleError {
  readonly code = "read_abandoned";

  constructor() {
    super("the client went away before its answer was read");
  }
}

/**
 * The level at which a failure is logged: a fault of the gateway is an error, an expected failure is a warning. An absent
 * broker or issuer was logged once when it was noticed, so it is not logged again for each client and channel.
 */
export function faultLevel(error: unknown): LogLevel {
  if (error instanceof BrokerUnavailable || (error instanceof AccessUndecided && error.isTold))
    return "debug";
  return error instanceof TelltaleError ? "warn" : "error";
}

/** The message of any thrown value, for a log. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
