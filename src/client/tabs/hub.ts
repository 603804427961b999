import type { AnalysisState } from "../../domain/analysis-state.ts";
import type { Environment, PageEventListener } from "../watch/environment.ts";
import { type SharedConnection, shareConnection, type Watcher } from "../watch/shared-connection.ts";
import type { ConnectionRequest, TransportChoice } from "../watch/transport.ts";
import type { ConnectionStatus } from "../watch/watch-options.ts";
import type { Frame } from "../watch/watched-events.ts";
import { SharedAnalysis } from "./shared-analysis.ts";
import type { LeaderMessage, TabMessage } from "./tab-messages.ts";

/** A leader that is silent for twelve seconds is given up by its tabs. */
const HEARTBEAT = { heartbeat_interval_seconds: 5, heartbeat_timeout_seconds: 12 };

/** Carries the frames of all tabs of a group over one connection, until the returned function is called. */
export function openHub(
  name: string,
  { base, conflate, environment, token: first }: ConnectionRequest,
  choice: TransportChoice,
): () => void {
  const leader = crypto.randomUUID();
  const channel = new BroadcastChannel(name);
  /** Whether each tab was told that the connection is there. */
  const tabs = new Map<string, boolean>();
  const analyses = new Map<string, SharedAnalysis>();
  const closing = new AbortController();
  const page = leavingPage(environment.events);
  let token = first;
  let isLive = false;
  let connection: SharedConnection | undefined;

  const say = (message: object, to?: string) =>
    closing.signal.aborted || channel.postMessage({ leader, to, ...message } as LeaderMessage);
  const remove = (id: string) => {
    const analysis = analyses.get(id);
    analyses.delete(id);
    if (analysis) connection?.remove(analysis);
  };
  const tellOpened = () => {
    for (const [tab, wasTold] of tabs) {
      if (wasTold) continue;
      tabs.set(tab, true);
      const timestamp = new Date(environment.now()).toISOString();
      say({ says: "opened", frame: { event_type: "connection_established", timestamp, ...HEARTBEAT } }, tab);
    }
  };
  /** Each tab comes back by its own plan and with a token of its own. */
  const ended = (code: number, reason: string) => {
    const all = [...tabs.keys()];
    tabs.clear();
    for (const id of [...analyses.keys()]) remove(id);
    connection = undefined;
    isLive = false;
    for (const tab of all) say({ says: "ended", code, reason }, tab);
  };
  const connectionChanged = (status: ConnectionStatus) => {
    isLive = status.status === "live";
    if (isLive) tellOpened();
    if (status.status === "waiting" || status.status === "refused") ended(status.code, status.reason);
  };
  const send = (tab: string, frame: Frame) => void say({ says: "frame", frame }, tab);
  const leave = (tab: string, id: string) => {
    if (analyses.get(id)?.remove(tab) === false) remove(id);
  };
  const gone = (tab: string) => {
    tabs.delete(tab);
    for (const id of [...analyses.keys()]) leave(tab, id);
  };

  const opened = (tab: string) => {
    tabs.set(tab, false);
    say({ says: "here" }, tab);
    if (isLive) tellOpened();
    // It is granted when the tab is no more.
    navigator.locks
      .request(`${name}:${tab}`, { signal: closing.signal }, () => gone(tab))
      .catch((error: Error) => {
        if (!closing.signal.aborted) environment.report(error);
      });
  };
  const subscribed = (tab: string, id: string, state: AnalysisState | null) => {
    const known = analyses.get(id);
    if (known) return known.add(tab, state);
    connection ??= shareConnection({
      base,
      conflate,
      environment: { ...environment, events: page.events },
      choice,
      token: async () => token,
      closed() {},
    });
    const analysis = new SharedAnalysis(id, state, {
      send,
      connectionChanged,
      refused: remove,
      renew(watcher: Watcher) {
        connection?.remove(watcher);
        connection?.add(watcher);
      },
    });
    analyses.set(id, analysis);
    analysis.add(tab, state);
    connection.add(analysis);
  };

  channel.onmessage = ({ data }: MessageEvent<TabMessage>) => {
    const { tab } = data;
    if (tab === undefined) return;
    if (data.do === "open") {
      token = data.token;
      return opened(tab);
    }
    if (!tabs.has(tab)) return;
    if (data.do === "authenticate") token = data.token;
    else if (data.do === "subscribe") subscribed(tab, data.id, data.state);
    else if (data.do === "unsubscribe") leave(tab, data.id);
    else if (data.do === "close") gone(tab);
    else say({ says: "pong" }, tab);
  };
  say({ says: "here" });

  return () => {
    if (closing.signal.aborted) return;
    page.leave();
    for (const id of [...analyses.keys()]) remove(id);
    closing.abort();
    channel.close();
  };
}

/** The events of the page, and one more: for the connection the page leaves when the hub is closed. */
function leavingPage(page: Environment["events"]) {
  const listeners = new Set<PageEventListener>();
  return {
    leave() {
      for (const listener of listeners) listener({ type: "pagehide" });
    },
    events: {
      addEventListener(type: string, listener: PageEventListener) {
        listeners.add(listener);
        page?.addEventListener(type, listener);
      },
      removeEventListener(type: string, listener: PageEventListener) {
        listeners.delete(listener);
        page?.removeEventListener(type, listener);
      },
    },
  };
}
