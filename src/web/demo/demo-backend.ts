import { ANSWER_TIMEOUT_MS, backendFault } from "../words/backend-fault.ts";

export type Outcome = "fake" | "authentic" | "failure";

/** How many events of an analysis this gateway has refused, and why the last of them. */
export interface Refusals {
  readonly count: number;
  readonly reason: string;
}

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

/** Asks for the end of the analysis. Rejects with a sentence for the visitor. One that has ended meanwhile is no fault. */
export async function cancelAnalysis(analysisId: string): Promise<void> {
  const { token } = await fetchSession();
  await asSentence(async () => {
    const response = await fetch(`v1/analyses/${encodeURIComponent(analysisId)}/cancel`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    if (!response.ok && response.status !== 409) throw new Error(await problemOf(response));
  });
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
function ask<Answer>(path: string, body?: object): Promise<Answer> {
  return asSentence(async () => {
    const response = await fetch(path, {
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      ...(body !== undefined && {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      }),
    });
    if (!response.ok) throw new Error(await problemOf(response));
    return (await response.json()) as Answer;
  });
}

async function asSentence<Answer>(request: () => Promise<Answer>): Promise<Answer> {
  try {
    return await request();
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
