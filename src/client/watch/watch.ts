import { hasEnded } from "../../domain/analysis-state.ts";
import { type AnalysisFeed, openFeed } from "./analysis-feed.ts";
import { baseOf, type Environment, runtime } from "./environment.ts";
import { type SharedConnection, shareConnection } from "./shared-connection.ts";
import type { ChooseTransport } from "./transport.ts";
import type { AnalysisWatch, WatchOptions, WatchSnapshot } from "./watch-options.ts";
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
  return (options) => {
    const { signal, until, environment = runtime } = options;
    /** The text of an option. A wrong one is a fault of the program, and no other connection would cure it. */
    const demand = (name: keyof WatchOptions, right: RegExp) => {
      const text = `${options[name] ?? ""}`;
      if (right.test(text)) return text;
      throw new TypeError(`watch: wrong ${name}`);
    };
    const base = baseOf(demand("url", /^(http|ws)s?:\/\/[^\s?#@]+$/i));
    const analysisId = demand("analysisId", /./).toLowerCase();
    demand("token", /./);
    demand("until", /^(terminal)?$/);
    demand("conflate", /^(none|status)?$/);
    const shared = connectionFor(base, options, environment, options.share ?? choose);
    const feed = shared.watchers.get(analysisId) ?? openFeed(analysisId, shared, environment);
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
          // One before it may have taken it away.
          if (listeners.has(listener)) listener(event);
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
    if (isOver) detach();
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
      retryNow: feed.retryNow,
      close,
      [Symbol.asyncIterator]() {
        const waiting: WatchedEvent[] = [];
        let wake = () => {};
        const take = (event?: WatchedEvent) => {
          if (event) waiting.push(event);
          wake();
        };
        const events = (async function* () {
          const { analysis } = snapshot;
          if (analysis) waiting.push({ event_type: "analysis_state", ...analysis });
          listeners.add(take);
          try {
            while (listeners.has(take) && snapshot.connection.status !== "closed") {
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
          }
        })();
        const leave = events.return;
        // By itself a generator returns only after the event that it waits for.
        events.return = () => {
          listeners.delete(take);
          wake();
          if (listeners.size === 0) close();
          return leave.call(events);
        };
        return events;
      },
    };
  };
}

const inUse = new Map<readonly unknown[], SharedConnection<AnalysisFeed>>();

/** The connection of all watches of the same address and token. */
function connectionFor(
  base: string,
  { token, conflate = "none" }: WatchOptions,
  environment: Environment,
  choose: ChooseTransport,
): SharedConnection<AnalysisFeed> {
  const key = [base, token, conflate, environment];
  for (const [known, connection] of inUse)
    if (known.every((part, index) => part === key[index])) return connection;
  const choice = choose(base, environment);
  const closed = () => void inUse.delete(key);
  const connection = shareConnection<AnalysisFeed>({ base, token, conflate, environment, choice, closed });
  inUse.set(key, connection);
  return connection;
}
