import type { AnalysisState } from "../../domain/analysis-state.ts";
import { afterFrame } from "../watch/after-frame.ts";
import type { Watcher } from "../watch/shared-connection.ts";
import type { ConnectionStatus } from "../watch/watch-options.ts";
import type { Frame } from "../watch/watched-events.ts";

export interface SharedAnalysisOwner {
  send(tab: string, frame: Frame): void;
  /** Asks the gateway for it anew, from its position. */
  renew(watcher: Watcher): void;
  connectionChanged(status: ConnectionStatus): void;
  /** The gateway refused it. */
  refused(analysisId: string): void;
}

/** One analysis that tabs watch over the connection of this one. Each tab gets every event after its position, once. */
export class SharedAnalysis implements Watcher {
  readonly analysisId: string;
  position: string | undefined;
  readonly #owner: SharedAnalysisOwner;
  /** Tabs, each with the event that it waits for to pass by: it has seen everything up to that one. */
  readonly #tabs = new Map<string, string | undefined>();
  /** Null until the gateway has said it. */
  #state: AnalysisState | null;
  /** While the gateway repeats events for a tab that lacks them: the last one that is folded. */
  #repeatedTo: string | undefined;
  #isCaughtUp = false;

  constructor(analysisId: string, state: AnalysisState | null, owner: SharedAnalysisOwner) {
    this.analysisId = analysisId;
    this.#state = state;
    this.position = state?.last_event_id;
    this.#owner = owner;
  }

  /** A tab that has seen everything up to this state; null: nothing. */
  add(tab: string, seen: AnalysisState | null): void {
    const isResumed = seen === null ? null : true;
    this.#send(tab, { event_type: "subscribed", analysis_id: this.analysisId, resumed: isResumed });
    const state = this.#state;
    if (seen === null) {
      this.#tabs.set(tab, this.#repeatedTo);
      if (state) this.#sendState(tab, state);
    } else if (seen.last_event_id === state?.last_event_id) {
      this.#tabs.set(tab, this.#repeatedTo);
      this.#sendStanding(tab, state, seen);
      if (this.#isCaughtUp) this.#sendCaughtUp(tab);
    } else {
      this.#tabs.set(tab, seen.last_event_id);
      if (this.#isCaughtUp) this.#repeatFor(tab);
    }
  }

  /** Answers whether any other is left. */
  remove(tab: string): boolean {
    this.#tabs.delete(tab);
    return this.#tabs.size > 0;
  }

  connectionChanged(status: ConnectionStatus): void {
    this.#owner.connectionChanged(status);
  }

  took(frame: Frame): void {
    const { event_type, event_id } = frame;
    if (event_type === "subscribed" || event_type === "connection_established") {
      if (frame.resumed !== false) return;
      // No tab finds its position any more.
      for (const tab of this.#tabs.keys()) this.#tabs.set(tab, undefined);
      this.#begin(null, frame);
    } else if (event_type === "analysis_state") {
      const { event_type: _, ...state } = frame;
      this.#begin(state as unknown as AnalysisState, frame);
    } else if (event_type === "subscription_refused") {
      for (const tab of this.#tabs.keys()) this.#send(tab, frame);
      this.#owner.refused(this.analysisId);
    } else if (event_type === "caught_up") this.#caughtUp();
    else if (typeof event_id === "string") this.#event(frame, event_id);
    else {
      this.#fold(frame);
      this.#sendToAll(frame);
    }
  }

  #event(frame: Frame, id: string): void {
    this.position = id;
    if (this.#repeatedTo === undefined) this.#fold(frame);
    else if (this.#repeatedTo === id) this.#repeatedTo = undefined;
    for (const [tab, after] of this.#tabs) {
      if (after === undefined) this.#send(tab, frame);
      else if (after === id) this.#tabs.set(tab, undefined);
    }
  }

  #fold(frame: Frame): void {
    this.#state &&= afterFrame(this.#state, frame) ?? this.#state;
  }

  #begin(state: AnalysisState | null, frame: Frame): void {
    this.#state = state;
    this.position = state?.last_event_id;
    this.#repeatedTo = undefined;
    this.#isCaughtUp = false;
    this.#sendToAll(frame);
  }

  #caughtUp(): void {
    this.#isCaughtUp = true;
    this.#repeatedTo = undefined;
    const last = this.#state?.last_event_id;
    for (const [tab, after] of this.#tabs) {
      if (after !== undefined && after !== last) continue;
      this.#tabs.set(tab, undefined);
      this.#sendCaughtUp(tab);
    }
    const [behind] = [...this.#tabs].find(([, after]) => after !== undefined) ?? [];
    if (behind !== undefined) this.#repeatFor(behind);
  }

  /** Asks for the events that a tab lacks; the others have them. */
  #repeatFor(tab: string): void {
    const position = this.#tabs.get(tab);
    const last = this.#state?.last_event_id;
    this.#isCaughtUp = false;
    for (const [other, after] of this.#tabs) if (after === undefined) this.#tabs.set(other, last);
    this.#tabs.set(tab, undefined);
    this.#repeatedTo = last;
    this.position = position;
    this.#owner.renew(this);
  }

  #sendState(tab: string, state: AnalysisState): void {
    this.#send(tab, { event_type: "analysis_state", ...state });
    if (this.#isCaughtUp) this.#sendCaughtUp(tab);
  }

  /** The frames without an id that hold, of which the tab may have missed some. */
  #sendStanding(
    tab: string,
    { analysis_id, status, cancel_requested }: AnalysisState,
    seen: AnalysisState,
  ): void {
    if (status !== seen.status && (status === "stalled" || status === "running"))
      this.#send(tab, { event_type: "state_changed", analysis_id, status, silent_since: null });
    if (cancel_requested)
      this.#send(tab, { event_type: "cancel_requested", analysis_id, ...cancel_requested });
  }

  #sendCaughtUp(tab: string): void {
    const { analysisId: analysis_id, position } = this;
    this.#send(tab, { event_type: "caught_up", analysis_id, last_event_id: position ?? "0" });
  }

  #sendToAll(frame: Frame): void {
    for (const [tab, after] of this.#tabs) if (after === undefined) this.#send(tab, frame);
  }

  #send(tab: string, frame: Frame): void {
    this.#owner.send(tab, frame);
  }
}
