import {
  type AnalysisState,
  type AnalysisWatch,
  type WatchOptions,
  type WatchSnapshot,
  watch,
} from "../../src/client/sdk.ts";
import { INITIAL_SNAPSHOT } from "../../src/client/watch/analysis-feed.ts";
import { runtime } from "../../src/client/watch/environment.ts";
import { isEnd } from "../../src/domain/analysis-state.ts";

/** The watches of one component. */
export interface AnalysesStore {
  /** Watches these analyses, of which there is one for each id, while anybody is subscribed. */
  want(ids: readonly string[]): void;
  subscribe(listener: () => void): () => void;
  /** One for each id; the same array until something in it changes. Those that are not watched yet are connecting. */
  snapshots(ids: readonly string[]): readonly WatchSnapshot[];
}

export interface StoreSettings
  extends Pick<WatchOptions, "url" | "token" | "until" | "conflate" | "share" | "environment"> {
  /** The shortest time between two changes that only tell of progress, in milliseconds; none if it is no number above 0. */
  readonly throttleMs: () => number;
  /** Called once for each end of an analysis. A fault that it throws is reported. */
  readonly onComplete: (analysis: AnalysisState) => void;
}

interface Entry {
  readonly watch: AnalysisWatch;
  shown: WatchSnapshot;
  hasEnded: boolean;
  /** Stops the timer of the change that waits. */
  stopTimer: (() => void) | undefined;
}

export function createStore(settings: StoreSettings): AnalysesStore {
  const { throttleMs, onComplete, ...options } = settings;
  const { after, report } = options.environment ?? runtime;
  const entries = new Map<string, Entry>();
  const listeners = new Set<() => void>();
  let wanted: readonly string[] = [];
  let stopClosing = () => {};
  let answered: readonly WatchSnapshot[] = [];

  const show = (entry: Entry) => {
    entry.stopTimer?.();
    entry.stopTimer = undefined;
    entry.shown = entry.watch.getSnapshot();
    for (const listener of [...listeners]) listener();
    const { analysis } = entry.shown;
    const hadEnded = entry.hasEnded;
    entry.hasEnded = analysis !== null && isEnd(analysis.status);
    if (analysis === null || !entry.hasEnded || hadEnded) return;
    try {
      onComplete(analysis);
    } catch (error) {
      // React would take the component away that subscribes.
      report(error);
    }
  };
  const changed = (entry: Entry) => {
    const next = entry.watch.getSnapshot();
    const inMs = throttleMs();
    if (!(inMs > 0) || !tellsOnlyOfProgress(entry.shown, next)) show(entry);
    else entry.stopTimer ??= after(inMs, () => show(entry));
  };
  const close = (id: string, entry: Entry) => {
    entries.delete(id);
    entry.stopTimer?.();
    entry.watch.close();
  };
  const open = (analysisId: string) => {
    const watching = watch({ ...options, analysisId });
    const entry: Entry = {
      watch: watching,
      shown: watching.getSnapshot(),
      hasEnded: false,
      stopTimer: undefined,
    };
    entries.set(analysisId, entry);
    watching.subscribe(() => {
      if (entries.get(analysisId) === entry) changed(entry);
    });
    show(entry);
  };
  const sync = () => {
    const ids = listeners.size > 0 ? wanted : [];
    for (const [id, entry] of entries) if (!ids.includes(id)) close(id, entry);
    for (const id of ids) if (!entries.has(id)) open(id);
  };

  return {
    want(ids) {
      wanted = ids;
      // Under StrictMode React wants again before it subscribes again: until then everything stays.
      if (listeners.size > 0) sync();
    },
    subscribe(listener) {
      // Each subscription is one of its own, also of the same function.
      const own = () => listener();
      stopClosing();
      listeners.add(own);
      sync();
      return () => {
        listeners.delete(own);
        // React leaves and comes back at once under StrictMode.
        if (listeners.size === 0) stopClosing = after(0, sync);
      };
    },
    snapshots(ids) {
      const now = ids.map((id) => entries.get(id)?.shown ?? INITIAL_SNAPSHOT);
      const isSame = now.length === answered.length && now.every((one, index) => one === answered[index]);
      if (!isSame) answered = now;
      return answered;
    },
  };
}

function tellsOnlyOfProgress(before: WatchSnapshot, after: WatchSnapshot): boolean {
  return (
    before.connection === after.connection &&
    before.cancelRequested === after.cancelRequested &&
    before.analysis?.status === after.analysis?.status
  );
}
