import type { AnalysisState } from "../../domain/analysis-state.ts";
import type { Frame } from "../watch/watched-events.ts";

/**
 * A tab's word: the first one to any that leads, each other one to its leader. A page that was frozen may miss messages, hence both sides
 * count them: a gap ends the connection between the two, and the tab comes back from its position. No message holds a token.
 */
export type TabMessage =
  | { readonly tab: string; readonly do: "open" }
  | ({ readonly tab: string; readonly to: string; readonly count: number } & (
      | Subscribe
      | { readonly do: "unsubscribe"; readonly id: string }
      | { readonly do: "ping" | "close" }
    ));

interface Subscribe {
  readonly do: "subscribe";
  readonly id: string;
  /** All that the tab has seen, at whose position it goes on; null if it begins with the state. */
  readonly state: AnalysisState | null;
}

/**
 * The leader's word to a tab, or to all that it leads from now on. `leader` is another one each time that a tab begins to lead, and begins
 * with the name of that tab.
 */
export type LeaderMessage =
  | { readonly leader: string; readonly to?: undefined }
  | ({ readonly leader: string; readonly to: string; readonly count: number } & (
      | { readonly says: "here" | "pong" }
      | { readonly says: "opened" | "frame"; readonly frame: Frame }
      | { readonly says: "ended"; readonly code: number; readonly reason: string }
    ));
