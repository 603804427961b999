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
  /** Called at once for each end of an analysis, and once. A fault that it throws is reported. */
  readonly onComplete: (analysis: AnalysisState) => void;
}

/** A longer list that is throttled shows also ends and lost connections only once a frame: it may open with a thousand states. */
const SHORT_LIST = 20;
const FRAME_MS = 16;

interface Entry {
  readonly watch: AnalysisWatch;
  shown: WatchSnapshot;
  hasEnded: boolean;
}

export function createStore(settings: StoreSettings): AnalysesStore {
  const { throttleMs, onComplete, ...options } = settings;
  const { after, now, report } = options.environment ?? runtime;
  const entries = new Map<string, Entry>();
  const listeners = new Set<() => void>();
  /** Those that show an older snapshot than they have. */
  const changed = new Set<Entry>();
  let dueAt = Number.POSITIVE_INFINITY;
  let stopShowing = () => {};
  let hastenedAt = Number.NEGATIVE_INFINITY;
  let wanted: readonly string[] = [];
  let stopClosing = () => {};
  let answered: readonly WatchSnapshot[] = [];
  /** The ids that `answered` is for, until something changes. */
  let answeredFor: readonly string[] | undefined;

  const stop = () => {
    stopShowing();
    dueAt = Number.POSITIVE_INFINITY;
  };
  const show = () => {
    stop();
    for (const entry of changed) entry.shown = entry.watch.getSnapshot();
    changed.clear();
    answeredFor = undefined;
    for (const listener of [...listeners]) listener();
  };
  const showIn = (milliseconds: number) => {
    const at = now() + milliseconds;
    if (at >= dueAt) return;
    stop();
    dueAt = at;
    stopShowing = milliseconds > 0 ? after(milliseconds, show) : soon(show);
  };
  const took = (entry: Entry) => {
    const next = entry.watch.getSnapshot();
    changed.add(entry);
    const inMs = throttleMs();
    if (inMs > 0 && tellsOnlyOfProgress(entry.shown, next)) showIn(inMs);
    else if (inMs > 0 && entries.size > SHORT_LIST) showInFrame();
    else showIn(0);
    tellOfEnd(entry, next);
  };
  const showInFrame = () => {
    const since = now() - hastenedAt;
    // A clock may have been set back.
    const isFirst = since < 0 || since >= FRAME_MS;
    if (isFirst) hastenedAt = now();
    showIn(isFirst ? 0 : FRAME_MS);
  };
  const tellOfEnd = (entry: Entry, { analysis }: WatchSnapshot) => {
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
  const close = (id: string, entry: Entry) => {
    entries.delete(id);
    changed.delete(entry);
    entry.watch.close();
  };
  const open = (analysisId: string) => {
    const watching = watch({ ...options, analysisId });
    const entry: Entry = { watch: watching, shown: watching.getSnapshot(), hasEnded: false };
    entries.set(analysisId, entry);
    watching.subscribe(() => {
      if (entries.get(analysisId) === entry) took(entry);
    });
    return entry;
  };
  const sync = () => {
    const ids = new Set(listeners.size > 0 ? wanted : []);
    for (const [id, entry] of entries) if (!ids.has(id)) close(id, entry);
    const opened = [...ids].filter((id) => !entries.has(id)).map(open);
    if (opened.length > 0) show();
    else if (changed.size === 0) stop();
    for (const entry of opened) tellOfEnd(entry, entry.shown);
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
      if (ids === answeredFor) return answered;
      const shown = ids.map((id) => entries.get(id)?.shown ?? INITIAL_SNAPSHOT);
      const isSame = shown.length === answered.length && shown.every((one, index) => one === answered[index]);
      if (!isSame) answered = shown;
      answeredFor = ids;
      return answered;
    },
  };
}

/** Runs `task` once what goes on now is done, unless the returned function is called before. */
function soon(task: () => void): () => void {
  let isStopped = false;
  queueMicrotask(() => {
    if (!isStopped) task();
  });
  return () => {
    isStopped = true;
  };
}

function tellsOnlyOfProgress(before: WatchSnapshot, after: WatchSnapshot): boolean {
  return (
    before.connection === after.connection &&
    before.cancelRequested === after.cancelRequested &&
    before.analysis?.status === after.analysis?.status
  );
}
