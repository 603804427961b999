import { Redis } from "ioredis";

/** Which Redis, and as whom. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** Longer than a script that is let through ever takes; shorter than a publisher waits for its answer. */
const COMMAND_TIMEOUT_MS = 2_000;

/**
 * The client, connecting: its address is looked up anew for each connection. `pauseMs` says how long it waits before
 * the next attempt, given how many failed in a row.
 */
export function connect(target: RedisTarget, purpose: string, pauseMs: (attempts: number) => number): Redis {
  return new Redis({
    host: target.host,
    port: target.port,
    db: target.db,
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    connectionName: `telltale-${purpose}`,
    protocol: 2,
    connectTimeout: COMMAND_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    enableOfflineQueue: false,
    // The client's own check writes to the console where its user may not run INFO, and waits as long as it likes.
    enableReadyCheck: false,
    // With these two a command without an answer fails when its connection does, and is never sent again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    retryStrategy: pauseMs,
  });
}
