import type { AnalysisState } from "../../domain/analysis-state.ts";
import type { Environment, PageEventListener } from "../watch/environment.ts";
import { type SharedConnection, shareConnection, type Watcher } from "../watch/shared-connection.ts";
import type { ConnectionRequest, Transport, TransportChoice } from "../watch/transport.ts";
import type { ConnectionStatus } from "../watch/watch-options.ts";
import type { Frame } from "../watch/watched-events.ts";
import { SharedAnalysis } from "./shared-analysis.ts";
import type { LeaderMessage, TabMessage } from "./tab-messages.ts";

/** A tab asks the leader for a sign of life so often, and judges the answer by itself: timers of hidden pages may come a minute late. */
const HEARTBEAT = { heartbeat_interval_seconds: 5, heartbeat_timeout_seconds: 3_600 };
const TOKEN_REFUSED = 4001;

export interface HubOptions extends Omit<ConnectionRequest, "token"> {
  /** The name that all tabs that may share have in common. */
  readonly name: string;
  /** The one that leads. */
  readonly tab: string;
  readonly choice: TransportChoice;
  /** The latest token of the tab that leads. No other tab's is ever used. */
  token(): string;
}

interface JoinedTab {
  /** Whether it was told that the connection is there. */
  isTold: boolean;
  sent: number;
  received: number;
}

/** Carries the frames of all tabs of a group over one connection, until the returned function is called. */
export function openHub(options: HubOptions): () => void {
  const { name, tab: own, base, conflate, environment, choice } = options;
  const leader = own + crypto.randomUUID();
  const channel = new BroadcastChannel(name);
  const tabs = new Map<string, JoinedTab>();
  const analyses = new Map<string, SharedAnalysis>();
  const closing = new AbortController();
  const page = leavingPage(environment.events);
  let isLive = false;
  /** By how much the gateway's clock is ahead, in milliseconds. */
  let ahead = 0;
  let connection: SharedConnection | undefined;

  const say = (to: string, message: object) => {
    const tab = tabs.get(to);
    if (tab === undefined || closing.signal.aborted) return;
    tab.sent += 1;
    channel.postMessage({ ...message, leader, to, count: tab.sent } as LeaderMessage);
  };
  const remove = (id: string) => {
    const analysis = analyses.get(id);
    analyses.delete(id);
    if (analysis) connection?.remove(analysis);
  };
  const tellOpened = () => {
    for (const [id, tab] of tabs) {
      if (tab.isTold) continue;
      tab.isTold = true;
      const timestamp = new Date(environment.now() + ahead).toISOString();
      say(id, { says: "opened", frame: { event_type: "connection_established", timestamp, ...HEARTBEAT } });
    }
  };
  /** Each tab comes back by its own plan and with a token of its own. */
  const ended = (code: number, reason: string) => {
    const others =
      code === TOKEN_REFUSED
        ? { code: 1006, reason: "the token of another tab was refused" }
        : { code, reason };
    for (const tab of tabs.keys()) say(tab, { says: "ended", ...(tab === own ? { code, reason } : others) });
    tabs.clear();
    for (const id of [...analyses.keys()]) remove(id);
    connection = undefined;
    isLive = false;
  };
  const connectionChanged = (status: ConnectionStatus) => {
    isLive = status.status === "live";
    if (isLive) tellOpened();
    if (status.status === "waiting" || status.status === "refused") ended(status.code, status.reason);
  };
  const send = (tab: string, frame: Frame) => say(tab, { says: "frame", frame });
  const leave = (tab: string, id: string) => {
    if (analyses.get(id)?.remove(tab) === false) remove(id);
  };
  const gone = (tab: string) => {
    tabs.delete(tab);
    for (const id of [...analyses.keys()]) leave(tab, id);
  };

  const opened = (tab: string) => {
    if (tabs.has(tab)) return;
    tabs.set(tab, { isTold: false, sent: 0, received: 0 });
    say(tab, { says: "here" });
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
      choice: heardBy(choice, (timestamp) => {
        ahead = (Date.parse(timestamp as string) || environment.now()) - environment.now();
      }),
      token: async () => options.token(),
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
    if (data.do === "open") return opened(data.tab);
    const tab = tabs.get(data.tab);
    if (data.to !== leader || tab === undefined) return;
    tab.received += 1;
    if (data.count !== tab.received) {
      say(data.tab, { says: "ended", code: 1006, reason: "a message between tabs was lost" });
      return gone(data.tab);
    }
    if (data.do === "subscribe") subscribed(data.tab, data.id, data.state);
    else if (data.do === "unsubscribe") leave(data.tab, data.id);
    else if (data.do === "close") gone(data.tab);
    else say(data.tab, { says: "pong" });
  };
  channel.postMessage({ leader } satisfies LeaderMessage);

  return () => {
    if (closing.signal.aborted) return;
    page.leave();
    for (const id of [...analyses.keys()]) remove(id);
    closing.abort();
    channel.close();
  };
}

/** The choice; `hear` is called with the gateway's time when a connection is there. */
function heardBy(choice: TransportChoice, hear: (timestamp: unknown) => void): TransportChoice {
  let chosen: Transport;
  return {
    ...choice,
    next() {
      chosen = choice.next();
      const { name, open } = chosen;
      return {
        name,
        open: (request, owner) =>
          open(request, {
            ...owner,
            opened(frame) {
              hear(frame.timestamp);
              owner.opened(frame);
            },
          }),
      };
    },
    worked: (_, live) => choice.worked(chosen, live),
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
