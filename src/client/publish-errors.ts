export interface PublishIssue {
  /** Where in the event, as `["suspicious_regions", 3, "x"]`; in a batch the event's index comes first. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The gateway, or something before it, said no and would say no again. Never retried. */
export class PublishRefused extends Error {
  override readonly name = "PublishRefused";
  /** Stable, as the gateway sent it; `http_404` and the like if the answer had none. */
  readonly code: string;
  /** The status of the HTTP answer. */
  readonly status: number;
  /** The fields that break the rules; empty if the event was refused for another reason. */
  readonly issues: readonly PublishIssue[];

  constructor(message: string, refusal: { code: string; status: number; issues: readonly PublishIssue[] }) {
    super(message);
    this.code = refusal.code;
    this.status = refusal.status;
    this.issues = refusal.issues;
  }
}

/** The time for retries ran out. `cause` is the error of the last try. */
export class PublishFailed extends Error {
  override readonly name = "PublishFailed";
  readonly code = "publish_failed";
  readonly attempts: number;
  /** True if a try was cut off without an answer that says otherwise; false: certainly not stored. */
  readonly mayHaveBeenStored: boolean;

  constructor(message: string, failure: { attempts: number; mayHaveBeenStored: boolean; cause: unknown }) {
    super(message, { cause: failure.cause });
    this.attempts = failure.attempts;
    this.mayHaveBeenStored = failure.mayHaveBeenStored;
  }
}

/**
 * Whether the gateway refuses for what the events are: they would be refused again. Every other refusal may be mended while they wait: by
 * another token, or by a proxy that finds its gateway again.
 */
export function isOfEvents({ status }: PublishRefused): boolean {
  return status === 400 || status === 409 || status === 413 || status === 422;
}
