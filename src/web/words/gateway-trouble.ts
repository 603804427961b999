import type { ConnectionStatus } from "../../client/sdk.ts";
import { CLOSE_CODES, isNotDeclared } from "../../domain/close-code.ts";

/**
 * Why nothing comes, as far as the page has been told. `busy`: the gateway answers and takes no watcher now, since it
 * is over capacity or its broker is away. `undeclared`: nobody has said yet who may watch.
 */
export type GatewayTrouble = "broker_away" | "busy" | "undeclared" | "unreachable";

export function gatewayTrouble(connection: ConnectionStatus): GatewayTrouble | undefined {
  if (connection.status !== "waiting") return undefined;
  if (connection.reason.includes("broker_unavailable")) return "broker_away";
  if (isNotDeclared(connection)) return "undeclared";
  return connection.code === CLOSE_CODES.tryAgainLater.code ? "busy" : "unreachable";
}

/** A title and a sentence for each trouble. */
export const TROUBLE_WORDS: Readonly<
  Record<GatewayTrouble, { readonly title: string; readonly toDo: string }>
> = {
  broker_away: {
    title: "The gateway's broker is away",
    toDo: "The gateway is there, but cannot reach its broker, so it has no news. The page tries again by itself; check that Redis is running.",
  },
  busy: {
    title: "The gateway takes no watcher at the moment",
    toDo: "The gateway is there, but it is over capacity or its broker is away. The page tries again by itself.",
  },
  undeclared: {
    title: "Nobody has said yet who may watch",
    toDo: "The page tries again by itself; whoever started the analysis has to declare its viewers.",
  },
  unreachable: {
    title: "The gateway cannot be reached",
    toDo: "The page tries again by itself; check that the gateway is running.",
  },
};
