import type { Environment, PageEventListener } from "./environment.ts";
import { retryAfter } from "./retry-plan.ts";
import { askToken, renewalIn } from "./token.ts";
import type { Connection, Place, TransportChoice } from "./transport.ts";
import type { ConnectionStatus, TokenSource } from "./watch-options.ts";
import type { Frame } from "./watched-events.ts";

/** An analysis that is watched over a shared connection. */
export interface Watcher extends Place {
  took(frame: Frame): void;
  /** The connection is another one, or in another state. */
  connectionChanged(status: ConnectionStatus): void;
}

export interface SharedConnection<Own extends Watcher = Watcher> {
  /** By their analysis. */
  readonly watchers: ReadonlyMap<string, Own>;
  add(watcher: Own): void;
  remove(watcher: Own): void;
  /** Begins anew with one analysis that the gateway refused for now. */
  renew(watcher: Own): void;
  retryNow(): void;
}

export interface SharedOptions {
  /** `http(s):`, without a slash at its end. */
  readonly base: string;
  readonly token: TokenSource;
  readonly conflate: "none" | "status";
  readonly environment: Environment;
  readonly choice: TransportChoice;
  /** Called when it was closed after the last watcher. */
  closed(): void;
}

/** A gateway that accepts the connection and then says nothing is as good as none. */
const OPENING_MS = 10_000;
/** A connection that lasted so long owes nothing to the failures before it. */
const LASTING_MS = 5_000;
/** A connection that was not needed for so long is closed: the next view of a page often needs it again. */
const LINGER_MS = 250;
/** A gateway that does not answer a ping within this time, after the machine slept or the network changed, is gone. */
const PROBE_MS = 5_000;
const LINK_BROKEN = 1006;

/** One connection to the gateway for all watchers: it opens when the first one comes, comes back by itself, and closes after the last. */
export function shareConnection<Own extends Watcher>(options: SharedOptions): SharedConnection<Own> {
  const { environment, choice } = options;
  const { after, random, now, events } = environment;
  const watchers = new Map<string, Own>();
  let status: ConnectionStatus | undefined;
  let connection: Connection | undefined;
  let isOpen = false;
  let openedAt = 0;
  let heardAt = 0;
  /** By how much the gateway's clock is ahead, in milliseconds. */
  let ahead = 0;
  let failures = 0;
  let tokenRefusals = 0;
  let isAsleep = false;
  let stopLinger = () => {};
  const timers = new Set<() => void>();

  const later = (milliseconds: number, task: () => void) => {
    const stop = after(milliseconds, () => {
      timers.delete(stop);
      task();
    });
    timers.add(stop);
  };
  const tell = (next: ConnectionStatus) => {
    status = next;
    // If one of them makes it another one, all were told of that.
    for (const watcher of [...watchers.values()]) if (status === next) watcher.connectionChanged(next);
  };
  const stopAll = () => {
    for (const stop of timers) stop();
    timers.clear();
  };
  /** Leaves nothing of the connection behind. */
  const drop = () => {
    stopAll();
    connection?.close();
    connection = undefined;
    isOpen = false;
  };

  const connect = () => {
    drop();
    timers.add(
      askToken(options.token, environment, (token, reason) => {
        if (token === undefined) ended(LINK_BROKEN, reason);
        else open(token);
      }),
    );
    // The last, since one that is told may close them all.
    tell({ status: "connecting" });
  };

  const open = (token: string) => {
    const transport = choice.next();
    const request = { ...options, token };
    const opened = (frame: Frame) => {
      stopAll();
      isOpen = true;
      openedAt = heardAt = now();
      tokenRefusals = 0;
      ahead = (Date.parse(frame.timestamp as string) || openedAt) - openedAt;
      keepAlive(
        secondsOr(frame.heartbeat_interval_seconds, 15),
        secondsOr(frame.heartbeat_timeout_seconds, 45),
      );
      renewBefore(token);
      choice.worked(transport, { request, later, finally: (task) => timers.add(task), renew: connect });
      tell({ status: "live", transport: transport.name });
    };
    const heard = () => {
      heardAt = now();
    };
    later(OPENING_MS, () => ended(LINK_BROKEN, "no answer in time"));
    try {
      connection = transport.open(request, { opened, heard, took, ended });
      for (const watcher of watchers.values()) connection.subscribe(watcher);
    } catch (error) {
      ended(LINK_BROKEN, (error as Error).message);
    }
  };

  const keepAlive = (intervalMs: number, timeoutMs: number) => {
    later(intervalMs, () => {
      if (now() - heardAt >= timeoutMs) return ended(LINK_BROKEN, "the link went silent");
      connection?.ping();
      keepAlive(intervalMs, timeoutMs);
    });
  };

  /** Asks for the next token before this one ends. */
  const renewBefore = (token: string) => {
    const inMs = renewalIn(options.token, token, now() + ahead);
    if (inMs === undefined) return;
    later(inMs, () => {
      timers.add(
        askToken(options.token, environment, (next) => {
          if (next === undefined || next === token) return renewBefore(token);
          if (!connection?.authenticate) return connect();
          connection.authenticate(next);
          renewBefore(next);
        }),
      );
    });
  };

  const took = (frame: Frame) => {
    if (frame.event_type === "notice") for (const watcher of [...watchers.values()]) watcher.took(frame);
    else watchers.get(frame.analysis_id as string)?.took(frame);
  };

  const ended = (code: number, reason: string) => {
    if (isOpen && now() - openedAt >= LASTING_MS) failures = 0;
    if (code === 4001 && !isOpen) tokenRefusals += 1;
    if (!isOpen && code === LINK_BROKEN && connection) choice.failed();
    const inMs = retryAfter(code, reason, failures, tokenRefusals, random);
    drop();
    if (inMs === undefined) return tell({ status: "refused", code, reason });
    failures += 1;
    later(inMs, connect);
    tell({ status: "waiting", code, reason, retryAt: now() + inMs });
  };

  /** The machine woke, the page is seen again, or the network is another one. */
  const wake: PageEventListener = (event) => {
    if (event.type === "pagehide") {
      // A page with an open connection is not kept for the way back.
      isAsleep = true;
      return drop();
    }
    if (event.type === "online") choice.forget();
    if (isAsleep) {
      isAsleep = false;
      return connect();
    }
    if (status?.status === "waiting" && status.code === LINK_BROKEN) return connect();
    const askedAt = now();
    if (isOpen && connection?.ping())
      later(PROBE_MS, () => heardAt < askedAt && ended(LINK_BROKEN, "the link went silent"));
  };
  const WAKING = ["online", "visibilitychange", "pageshow", "pagehide"];

  return {
    watchers,
    add(watcher) {
      stopLinger();
      const isFirst = watchers.size === 0;
      watchers.set(watcher.analysisId, watcher);
      if (isFirst) for (const type of WAKING) events?.addEventListener(type, wake);
      // One that ended while nobody needed it is not to be seen.
      if (isFirst && !isOpen) {
        failures = tokenRefusals = 0;
        connect();
      } else {
        watcher.connectionChanged(status as ConnectionStatus);
        connection?.subscribe(watcher);
      }
    },
    remove(watcher) {
      watchers.delete(watcher.analysisId);
      connection?.unsubscribe(watcher);
      if (watchers.size > 0) return;
      for (const type of WAKING) events?.removeEventListener(type, wake);
      const close = () => {
        drop();
        status = undefined;
        options.closed();
      };
      if (status?.status === "live") stopLinger = after(LINGER_MS, close);
      else close();
    },
    renew(watcher) {
      connection?.subscribe(watcher);
    },
    retryNow() {
      if (status?.status === "waiting") connect();
    },
  };
}

function secondsOr(value: unknown, fallback: number): number {
  return (Number(value) || fallback) * 1000;
}
