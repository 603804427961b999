import { Redis } from "ioredis";

/** The address of a Redis, and the user that the gateway is there. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** Longer than any script takes that is not refused, shorter than a publisher waits for its answer. */
const COMMAND_TIMEOUT_MS = 2_000;

/**
 * Makes a client, which begins to connect. It looks its address up anew for each connection. `pauseMs` says how long it
 * waits before the next attempt, given how many failed in a row; null: it makes none.
 */
export function connect(
  target: RedisTarget,
  purpose: string,
  pauseMs: (attempts: number) => number | null,
): Redis {
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
    // The client's own check writes to the console if its user may not run INFO, and waits as long as it likes.
    enableReadyCheck: false,
    // With these two a command without an answer fails when its connection does, and is never sent again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    retryStrategy: pauseMs,
  });
}
