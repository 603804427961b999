import type { AnalysisState } from "../../domain/analysis-state.ts";
import type { Frame } from "../watch/watched-events.ts";

/** A tab's word to the one that leads. */
export type TabMessage = { readonly tab: string } & (
  | { readonly do: "open"; readonly token: string }
  | { readonly do: "authenticate"; readonly token: string }
  /** `state`: all that the tab has seen, at whose position it goes on; null if it begins with the state. */
  | { readonly do: "subscribe"; readonly id: string; readonly state: AnalysisState | null }
  | { readonly do: "unsubscribe"; readonly id: string }
  | { readonly do: "ping" | "close" }
);

/** The leader's word to the tab `to`; without it, to all tabs. `leader` is another one each time that a tab begins to lead. */
export type LeaderMessage = { readonly leader: string; readonly to?: string | undefined } & (
  | { readonly says: "here" | "pong" }
  | { readonly says: "opened" | "frame"; readonly frame: Frame }
  | { readonly says: "ended"; readonly code: number; readonly reason: string }
);
