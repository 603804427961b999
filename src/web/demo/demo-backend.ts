export type Outcome = "fake" | "authentic" | "failure";

/** A fresh token for this visitor; the cookie that comes with it keeps the visitor's user id. */
export async function fetchToken(): Promise<string> {
  const { token } = await post<{ token: string }>("/demo/session");
  return token;
}

/** Starts the built-in pipeline; answers the id of its analysis. */
export async function startAnalysis(outcome: Outcome): Promise<string> {
  const { analysis_id } = await post<{ analysis_id: string }>("/demo/analyses", { outcome });
  return analysis_id;
}

async function post<Answer>(path: string, body: object = {}): Promise<Answer> {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(await problemOf(response));
  return (await response.json()) as Answer;
}

async function problemOf(response: Response): Promise<string> {
  if (!response.headers.get("Content-Type")?.includes("json"))
    return `the gateway answered ${response.status}`;
  const { title, detail } = (await response.json()) as { title?: string; detail?: string };
  return detail ?? title ?? `the gateway answered ${response.status}`;
}
