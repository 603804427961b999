import type { AnalysisState } from "../domain/analysis-state.ts";
import type { WatcherClock } from "./watched-socket.ts";

export interface SilenceCheckSettings {
  readonly clock: WatcherClock;
  /** Calls `done` once, with undefined if the state could not be read; answers how to give up. */
  readonly read: (done: (state: AnalysisState | undefined) => void) => () => void;
  /** Whether the state is that of the last event seen: an older or newer one would mislead. */
  readonly isCurrent: (state: AnalysisState) => boolean;
  readonly onState: (state: AnalysisState) => void;
}

/** Silence of so long is looked into, again and again while it lasts. */
const LOOK_AFTER_MS = 5_000;

/** Nobody pushes that an analysis has stalled: while a running one is silent, its state is read every five seconds. */
export class SilenceCheck {
  readonly #settings: SilenceCheckSettings;
  #stop = () => {};

  constructor(settings: SilenceCheckSettings) {
    this.#settings = settings;
  }

  /** The silence begins now. */
  restart(): void {
    this.#stop();
    const { clock, read } = this.#settings;
    this.#stop = clock.after(LOOK_AFTER_MS, () => {
      this.#stop = read((state) => this.#answered(state));
    });
  }

  stop(): void {
    this.#stop();
    this.#stop = () => {};
  }

  #answered(state: AnalysisState | undefined): void {
    const { isCurrent, onState } = this.#settings;
    const current = state !== undefined && isCurrent(state);
    // One that has ended, or has not begun, may be silent; the next event begins the wait anew.
    if (!current || state.status === "running" || state.status === "stalled") this.restart();
    if (current) onState(state);
  }
}
