import type { BrokerTrouble } from "../../application/broker-trouble.ts";

export type LinkState =
  | { readonly type: "starting" }
  | { readonly type: "up" }
  /** Connected, but a command went unanswered. */
  | { readonly type: "silent"; readonly unanswered: number }
  /** Connected, and about to be made anew. */
  | { readonly type: "leaving"; readonly trouble: BrokerTrouble }
  | { readonly type: "lost"; readonly trouble: BrokerTrouble; readonly detail: string }
  | { readonly type: "closed" };

/** Why a connection ended; the detail is for the log. */
export interface LinkEnd {
  readonly trouble: BrokerTrouble;
  readonly detail: string;
}

export const SILENT: BrokerTrouble = { cause: "silent" };
export const UNREACHABLE: LinkEnd = {
  trouble: { cause: "unreachable" },
  detail: "the connection was closed",
};
export const MOVING: LinkEnd = { trouble: { cause: "connecting" }, detail: "the address leads elsewhere" };

/** Why commands fail in this state, or undefined if they are sent. */
export function troubleIn(state: LinkState): BrokerTrouble | undefined {
  switch (state.type) {
    case "up":
      return undefined;
    case "starting":
      return { cause: "connecting" };
    case "silent":
      return SILENT;
    case "leaving":
    case "lost":
      return state.trouble;
    case "closed":
      return { cause: "closed" };
  }
}
