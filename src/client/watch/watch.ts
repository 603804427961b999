import { hasEnded } from "../../domain/analysis-state.ts";
import { type AnalysisFeed, openFeed } from "./analysis-feed.ts";
import { baseOf, type Environment, runtime } from "./environment.ts";
import { type SharedConnection, shareConnection } from "./shared-connection.ts";
import type { ChooseTransport } from "./transport.ts";
import type { AnalysisWatch, TokenSource, WatchOptions, WatchSnapshot } from "./watch-options.ts";
import type { WatchedEvent } from "./watched-events.ts";

/** The gateway refused the watch for good. */
export class WatchRefused extends Error {
  override readonly name = "WatchRefused";
  /** A close code, as 4003. */
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}

/** A watch as far as it needs nothing but a transport. */
export type BareWatch = Omit<AnalysisWatch, "cancel">;

/** A `watch` over transports that are chosen so. */
export function watchOver(choose: ChooseTransport): (options: WatchOptions) => BareWatch {
  return (options) => startWatch(options, choose);
}

function startWatch(options: WatchOptions, choose: ChooseTransport): BareWatch {
  const { signal, until, environment = runtime } = options;
  const base = baseOf(options.url);
  const analysisId = options.analysisId.toLowerCase();
  const shared = sharedFor(base, options, environment, options.share ?? choose);
  const feed = shared.feedOf(analysisId);
  const listeners = new Set<(event?: WatchedEvent) => void>();
  let snapshot = feed.snapshot;
  let isOver = false;
  let refusal: WatchRefused | undefined;

  const end = (last: WatchSnapshot) => {
    isOver = true;
    snapshot = last;
    signal?.removeEventListener("abort", close);
    detach();
  };
  const tell = (event?: WatchedEvent) => {
    for (const listener of [...listeners]) {
      try {
        listener(event);
      } catch (error) {
        environment.report(error);
      }
    }
  };
  const changed = (event?: WatchedEvent) => {
    if (isOver) return;
    snapshot = feed.snapshot;
    const { connection, analysis } = snapshot;
    if (connection.status === "refused") {
      refusal = new WatchRefused(connection.code, connection.reason);
      end(snapshot);
    } else if (until && feed.isCaughtUp && analysis && hasEnded(analysis)) {
      end({ ...snapshot, connection: { status: "finished" } });
    }
    tell(event);
  };
  const close = () => {
    if (isOver) return;
    end({ ...snapshot, connection: { status: "closed" } });
    tell();
  };
  let detach = () => {};
  detach = feed.attach(changed);
  snapshot = feed.snapshot;
  signal?.addEventListener("abort", close);
  if (signal?.aborted) close();
  else queueMicrotask(changed);

  return {
    subscribe(listener) {
      // Each subscription is one of its own, also of the same function.
      const own = () => listener();
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    getSnapshot: () => snapshot,
    retryNow: () => shared.connection.retryNow(),
    close,
    async *[Symbol.asyncIterator]() {
      const waiting: WatchedEvent[] = [];
      let wake = () => {};
      const take = (event?: WatchedEvent) => {
        if (event) waiting.push(event);
        wake();
      };
      const { analysis } = snapshot;
      if (analysis) waiting.push({ event_type: "analysis_state", ...analysis });
      listeners.add(take);
      try {
        while (snapshot.connection.status !== "closed") {
          const event = waiting.shift();
          if (event) yield event;
          else if (refusal) throw refusal;
          else if (isOver) return;
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      } finally {
        listeners.delete(take);
        if (listeners.size === 0) close();
      }
    },
  };
}

interface Shared {
  readonly connection: SharedConnection;
  feedOf(analysisId: string): AnalysisFeed;
}

const sharedOf = new WeakMap<Environment, Map<TokenSource, Map<string, Shared>>>();

/** The parts that all watches of the same address and token have in common. */
function sharedFor(
  base: string,
  { token, conflate = "none" }: WatchOptions,
  environment: Environment,
  choose: ChooseTransport,
): Shared {
  const byToken = known(sharedOf, environment, () => new Map<TokenSource, Map<string, Shared>>());
  const byAddress = known(byToken, token, () => new Map<string, Shared>());
  const key = conflate + base;
  return known(byAddress, key, () => {
    const feeds = new Map<string, AnalysisFeed>();
    const closed = () => {
      byAddress.delete(key);
      if (byAddress.size === 0) byToken.delete(token);
    };
    const connection = shareConnection({
      base,
      token,
      conflate,
      environment,
      closed,
      choice: choose(base, environment),
    });
    const feedOf = (analysisId: string) =>
      known(feeds, analysisId, () =>
        openFeed(analysisId, connection, environment, () => feeds.delete(analysisId)),
      );
    return { connection, feedOf };
  });
}

interface Known<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): unknown;
}

function known<Key, Value>(values: Known<Key, Value>, key: Key, make: () => Value): Value {
  const value = values.get(key) ?? make();
  values.set(key, value);
  return value;
}
