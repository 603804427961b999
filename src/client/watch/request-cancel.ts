import { baseOf, runtime } from "./environment.ts";
import { type RequestRefused, request } from "./http-requests.ts";
import { askToken } from "./token.ts";
import type { BareWatch } from "./watch.ts";
import type { AnalysisWatch, WatchOptions } from "./watch-options.ts";

/** The gateway did not take a request to cancel. */
export class CancelRefused extends Error {
  override readonly name = "CancelRefused";
  /** As `already_ended` or `scope_missing`; `unreachable` if there was no answer. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A request over a connection that has died would never be answered. */
const LONGEST_MS = 10_000;

/** Adds `cancel` to a watch. */
export function withCancel(watch: BareWatch, options: WatchOptions): AnalysisWatch {
  const { url, analysisId, token, environment = runtime } = options;
  const cancel = async (reason?: string) => {
    try {
      const bearer = await new Promise<string>((resolve, reject) => {
        askToken(token, environment, (text, why) => (text ? resolve(text) : reject(new Error(why))));
      });
      const response = await request(
        { base: baseOf(url), environment },
        bearer,
        `analyses/${encodeURIComponent(analysisId)}/cancel`,
        { method: "POST", signal: AbortSignal.timeout(LONGEST_MS), body: JSON.stringify({ reason }) },
      );
      // An answer that nobody reads keeps its connection.
      await response.text();
    } catch (error) {
      const { problem = "unreachable", message } = error as RequestRefused;
      throw new CancelRefused(problem, message);
    }
  };
  return Object.assign(watch, { cancel });
}
