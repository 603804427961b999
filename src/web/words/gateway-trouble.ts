import type { StateFetch } from "../../client/read-state.ts";
import type { ConnectionStatus } from "../../client/watcher.ts";
import { CLOSE_CODES } from "../../domain/close-code.ts";

/**
 * Why nothing comes, as far as the page has been told. `busy`: the gateway answers and takes no watcher now, since it
 * is over capacity or its broker is away.
 */
type GatewayTrouble = "broker_away" | "busy" | "unreachable";

const BROKER_AWAY = "broker_unavailable";

/** `brokerAway`: the gateway's last answer said so. */
export function gatewayTrouble(status: ConnectionStatus, brokerAway: boolean): GatewayTrouble | undefined {
  if (status.kind === "live") return brokerAway ? "broker_away" : undefined;
  if (status.kind !== "waiting") return undefined;
  if (brokerAway || status.reason === BROKER_AWAY) return "broker_away";
  return status.code === CLOSE_CODES.tryAgainLater.code ? "busy" : "unreachable";
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
  unreachable: {
    title: "The gateway cannot be reached",
    toDo: "The page tries again by itself; check that the gateway is running.",
  },
};

/** Passes requests on, and tells of each that came to an end whether the gateway said that its broker is away. */
export function hearingOfBroker(fetch: StateFetch, tell: (away: boolean) => void): StateFetch {
  return async (url, init) => {
    try {
      const response = await fetch(url, init);
      tell(response.status === 503 && (await problemCode(response.clone())) === BROKER_AWAY);
      return response;
    } catch (error) {
      // A request that the page gave up says nothing of the gateway.
      if (init.signal?.aborted !== true) tell(false);
      throw error;
    }
  };
}

async function problemCode(response: Response): Promise<unknown> {
  try {
    const body: unknown = JSON.parse(await response.text());
    return typeof body === "object" && body !== null && "code" in body ? body.code : undefined;
  } catch (error) {
    // A proxy answers 503 with a page of its own.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
