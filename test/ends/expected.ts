import type { KindName } from "./kinds.ts";

export const CASE_NAMES = [
  "finishes",
  "raises",
  "exits with 3",
  "SIGKILL",
  "SIGSTOP",
  "gateway away",
  "Redis away",
  "revoked",
  "redelivered",
] as const;
export type CaseName = (typeof CASE_NAMES)[number];

/** The end that a watcher is to see. */
export interface Expected {
  readonly status: "completed" | "failed" | "cancelled";
  readonly code?: string;
  readonly message?: string;
  /** The watcher is told before that the worker is silent. */
  readonly stalls?: true;
  /** Nobody but the gateway can tell, when the worker has been silent for ABANDON_AFTER_SECONDS. */
  readonly abandoned?: true;
}

const COMPLETED: Expected = { status: "completed" };
const ABANDONED: Expected = { status: "failed", code: "worker_lost", stalls: true, abandoned: true };

const RAISED: Readonly<Record<KindName, Expected>> = {
  "Celery prefork": { status: "failed", code: "ValueError", message: "a bad frame" },
  "Celery threads": { status: "failed", code: "ValueError", message: "a bad frame" },
  script: { status: "failed", code: "ValueError", message: "a bad frame" },
  "telltale run": {
    status: "failed",
    code: "worker_exit",
    message: "python3 ended with exit code 1: ValueError: a bad frame",
  },
  TypeScript: { status: "failed", code: "RangeError", message: "a bad frame" },
};

const EXITED: Readonly<Record<KindName, Expected>> = {
  "Celery prefork": { status: "failed", code: "worker_lost", message: "The process that ran the task died" },
  "Celery threads": { status: "failed", code: "SystemExit", message: "The worker left with exit code 3" },
  script: { status: "failed", code: "SystemExit", message: "The worker left with exit code 3" },
  "telltale run": { status: "failed", code: "worker_exit", message: "python3 ended with exit code 3" },
  // `process.exit` leaves no time to send anything.
  TypeScript: ABANDONED,
};

const KILLED: Readonly<Record<KindName, Expected>> = {
  "Celery prefork": { status: "failed", code: "worker_lost", message: "The process that ran the task died" },
  "Celery threads": ABANDONED,
  script: ABANDONED,
  "telltale run": { status: "failed", code: "worker_killed", message: "python3 was ended by SIGKILL" },
  TypeScript: ABANDONED,
};

export function expectedOf(name: CaseName, kind: KindName): Expected {
  switch (name) {
    case "raises":
      return RAISED[kind];
    case "exits with 3":
      return EXITED[kind];
    case "SIGKILL":
      return KILLED[kind];
    case "SIGSTOP":
      return { ...COMPLETED, stalls: true };
    case "revoked":
      return { status: "cancelled" };
    default:
      return COMPLETED;
  }
}

/** As in the table. */
export function describeEnd({ status, code, stalls }: Expected): string {
  const end = code === undefined ? status : `${status}, \`${code}\``;
  return stalls === undefined ? end : `stalled, then ${end}`;
}
