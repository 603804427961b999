import { type RequestRefused, request } from "../watch/http-requests.ts";
import { claimsIn } from "../watch/token.ts";
import type { ConnectionRequest } from "../watch/transport.ts";

/** A token that should have ended is judged again so often, as long as the gateway takes it: clocks differ. */
const LEAST_MS = 10_000;
/** A leader has got through, this tab has not, so many times in a row: no other attempt will. */
const MOST_FAULTS = 3;
const LINK_BROKEN = 1006;

export interface CheckedTab {
  readonly request: ConnectionRequest;
  readonly signal: AbortSignal;
  /** One that the tab watches. */
  analysisId(): string | undefined;
  /** The time of the gateway, in milliseconds since 1970. */
  now(): number;
  /** The gateway did not take the token, or could not be asked. */
  ended(code: number, reason: string): void;
}

/** Asks the gateway whether it takes the token of a tab that another one leads, since nothing else would. */
export interface TokenCheck {
  /** Calls `done` if it does, and judges the token again when it ends. */
  take(token: string, done: () => void): void;
}

/** Makes checks. Calls `unreachable` if no request gets through. */
export function tokenChecks(unreachable: () => void): (tab: CheckedTab) => TokenCheck {
  let faults = 0;
  return ({ request: { base, environment }, signal, analysisId, now, ended }) => {
    let stop = () => {};
    let latest: string;
    signal.addEventListener("abort", () => stop());
    const take = async (token: string, done: () => void) => {
      stop();
      latest = token;
      try {
        const path = `analyses/${encodeURIComponent(analysisId() ?? "")}`;
        const response = await request({ base, environment }, token, path, { signal });
        await response.body?.cancel();
      } catch (error) {
        const { code, problem, message } = error as Error & Partial<RequestRefused>;
        // The token was good, and the leader tells that this analysis is refused.
        const isTaken = code === 4003 || problem === "not_an_analysis_id";
        if (!isTaken && !signal.aborted && token === latest) {
          faults = problem === undefined ? faults + 1 : 0;
          ended(Number(code) || LINK_BROKEN, message);
          if (faults === MOST_FAULTS) unreachable();
        }
        if (!isTaken) return;
      }
      // The answer to a token that was replaced meanwhile counts no more.
      if (signal.aborted || token !== latest) return;
      faults = 0;
      const leftMs = (claimsIn(token).exp as number) * 1000 - now();
      stop();
      // Timers take no more than 31 bits.
      if (leftMs < 2 ** 31)
        stop = environment.after(Math.max(leftMs, LEAST_MS), () => void take(token, () => {}));
      done();
    };
    return { take: (token, done) => void take(token, done) };
  };
}
