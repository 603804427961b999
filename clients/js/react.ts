import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
} from "react";
import type { AnalysisState, TokenSource, WatchOptions, WatchSnapshot } from "../../src/client/sdk.ts";
import { IDLE } from "../../src/client/watch/idle-snapshot.ts";
import { type AnalysesStore, createStore } from "./analyses-store.ts";

/** The gateway, for all hooks below. */
export interface TelltaleProviderProps {
  readonly url: string;
  /** Another text begins a new connection; another function is asked from then on. */
  readonly token: TokenSource;
  readonly conflate?: WatchOptions["conflate"] | undefined;
  readonly share?: WatchOptions["share"] | undefined;
  readonly environment?: WatchOptions["environment"] | undefined;
  readonly children?: ReactNode;
}

type Source = Pick<WatchOptions, "url" | "token" | "conflate" | "share" | "environment">;

export interface UseAnalysisOptions extends Partial<Source> {
  /** Whether to watch at all [true]. */
  readonly enabled?: boolean | undefined;
  /**
   * The shortest time between two renderings for progress alone, in milliseconds [0; 100 of `useAnalyses`]. An end and a lost connection
   * show at once.
   */
  readonly throttleMs?: number | undefined;
  /** Whether the watch is over once the analysis has ended [false]. */
  readonly stopOnCompletion?: boolean | undefined;
  /** Called once for each end that the analysis comes to, or is found at: completed, failed or cancelled. */
  readonly onComplete?: ((analysis: AnalysisState) => void) | undefined;
}

const Telltale = createContext<Source | null>(null);

/** All hooks below it share one connection. */
export function TelltaleProvider(props: TelltaleProviderProps): ReactElement {
  const { url, conflate, share, environment, children } = props;
  const token = useStable(props.token);
  const value = useMemo(
    () => ({ url, token, conflate, share, environment }),
    [url, token, conflate, share, environment],
  );
  return createElement(Telltale.Provider, { value }, children);
}

/**
 * Watches an analysis while the component is mounted, and renders it again after each change. Without an id, if the token is an empty text,
 * or if it is not enabled, the connection is `closed`. Throws if neither a `TelltaleProvider` nor the options name the gateway.
 */
export function useAnalysis(id: string | null | undefined, options?: UseAnalysisOptions): WatchSnapshot {
  return useAnalyses([id], { ...options, throttleMs: options?.throttleMs ?? 0 })[0] ?? IDLE;
}

/** Nobody reads a list faster, and each rendering costs as much as the list is long. */
const LIST_THROTTLE_MS = 100;

/**
 * As `useAnalysis` for many: one snapshot for each id, in their order; `closed` for one that is empty or null. The array is the same one
 * until something in it changes.
 */
export function useAnalyses(
  ids: readonly (string | null | undefined)[] | null | undefined,
  options: UseAnalysisOptions = {},
): readonly WatchSnapshot[] {
  const { enabled = true, throttleMs = LIST_THROTTLE_MS, stopOnCompletion = false } = options;
  const { url, token, conflate, share, environment } = useSource(options);
  const onComplete = useLatest(options.onComplete);
  const shortest = useLatest(throttleMs);
  const store: AnalysesStore = useMemo(
    () =>
      createStore({
        url,
        token,
        conflate,
        share,
        environment,
        until: stopOnCompletion ? "terminal" : undefined,
        throttleMs: () => shortest.current,
        onComplete: (analysis) => onComplete.current?.(analysis),
      }),
    [url, token, conflate, share, environment, stopOnCompletion, shortest, onComplete],
  );
  // The ids themselves, not the array, which most components make anew each time.
  const key = JSON.stringify((ids ?? []).map((id) => (id ? `${id}` : "")));
  const order = useMemo(() => JSON.parse(key) as string[], [key]);
  const wanted = useMemo(
    () => (enabled && token !== "" ? [...new Set(order)].filter((id) => id !== "") : []),
    [enabled, token, order],
  );
  useEffect(() => store.want(wanted), [store, wanted]);
  const getSnapshot = () => store.snapshots(wanted);
  const snapshots = useSyncExternalStore(store.subscribe, getSnapshot, getSnapshot);
  return useMemo(() => {
    const byId = new Map(wanted.map((id, index) => [id, snapshots[index]]));
    return order.map((id) => byId.get(id) ?? IDLE);
  }, [snapshots, wanted, order]);
}

function useSource(options: Partial<Source>): Source {
  const provided = useContext(Telltale);
  const url = options.url ?? provided?.url;
  const own = useStable(options.token ?? "");
  const token = options.token === undefined ? provided?.token : own;
  if (url === undefined || token === undefined)
    throw new TypeError("no gateway: pass url and token to a TelltaleProvider above, or as options");
  return {
    url,
    token,
    conflate: options.conflate ?? provided?.conflate,
    share: options.share ?? provided?.share,
    environment: options.environment ?? provided?.environment,
  };
}

/** The text itself, or one function for the life of the component that asks the latest one. */
function useStable(token: TokenSource): TokenSource {
  const latest = useLatest(token);
  const ask = useCallback(() => {
    const { current } = latest;
    return typeof current === "string" ? current : current();
  }, [latest]);
  return typeof token === "string" ? token : ask;
}

function useLatest<Value>(value: Value): { readonly current: Value } {
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  });
  return latest;
}
