import type { WatchedEvent } from "../../client/sdk.ts";
import { ANSWER_TIMEOUT_MS, backendFault } from "../words/backend-fault.ts";

export type Outcome = "fake" | "authentic" | "failure";

/** How many events of an analysis this gateway has refused, and why the last of them. */
export interface Refusals {
  readonly count: number;
  readonly reason: string;
}

type KeptEvent = Extract<WatchedEvent, { readonly event_id: string }>;

/** The visitor as the gateway knows them. */
export interface Session {
  readonly user: string;
  readonly token: string;
  /** Whether the token may ask for the end of an analysis. */
  readonly may_cancel: boolean;
}

/** A session with a fresh token; the cookie that comes with it keeps the visitor's user id. */
export function fetchSession(): Promise<Session> {
  return ask<Session>("demo/session", {});
}

/** The oldest events of an analysis that are kept, so many at most. Rejects with a sentence for the visitor. */
export async function fetchEvents(analysisId: string, most: number): Promise<readonly KeptEvent[]> {
  const { token } = await fetchSession();
  const path = `v1/analyses/${encodeURIComponent(analysisId)}/events?limit=${most}`;
  const { events } = await ask<{ events: readonly KeptEvent[] }>(path, undefined, token);
  return events;
}

/** Starts the built-in pipeline; answers the id of its analysis. Rejects with a sentence for the visitor. */
export async function startAnalysis(outcome: Outcome): Promise<string> {
  const { analysis_id } = await ask<{ analysis_id: string }>("demo/analyses", { outcome });
  return analysis_id;
}

export function fetchRefusals(analysisId: string): Promise<Refusals> {
  return ask<Refusals>(`demo/refusals/${encodeURIComponent(analysisId)}`);
}

/** A POST of `body`, or a GET without one. `path` is relative to the page, which may be served below another path. */
async function ask<Answer>(path: string, body?: object, token?: string): Promise<Answer> {
  try {
    const response = await fetch(path, {
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      ...(token !== undefined && { headers: { Authorization: `Bearer ${token}` } }),
      ...(body !== undefined && {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      }),
    });
    if (!response.ok) throw new Error(await problemOf(response));
    return (await response.json()) as Answer;
  } catch (error) {
    const toDo = "Check that it is running (npm start), and try again.";
    throw new Error(backendFault(error, "The gateway", toDo), { cause: error });
  }
}

async function problemOf(response: Response): Promise<string> {
  const unexplained = `The gateway answered ${response.status}. Try again in a moment.`;
  if (!response.headers.get("Content-Type")?.includes("json")) return unexplained;
  const { title, detail } = (await response.json()) as { title?: string; detail?: string };
  const said = detail ?? title;
  return said === undefined ? unexplained : `The gateway says: ${said}.`;
}
