/** Every error that Telltale itself raises: `code` is stable and part of the interface, the message is for people. */
export abstract class TelltaleError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

export class TokenRejected extends TelltaleError {
  readonly code = "token_rejected";
}

/** The broker is known to be away or refused: nothing was stored, nor will be. */
export class BrokerUnavailable extends TelltaleError {
  readonly code = "broker_unavailable";
}

/** The command was sent and no answer came: it may have been carried out. Repeat it under the same idempotency key. */
export class OutcomeUnknown extends TelltaleError {
  readonly code = "outcome_unknown";
}

/** What the broker keeps was written by a newer Telltale than this one. */
export class NewerFormat extends TelltaleError {
  readonly code = "newer_format";
}
