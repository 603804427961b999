/** What the page asks of its own web application. */
export interface Session {
  readonly token: string;
  readonly gateway_url: string;
  readonly most_bytes: number;
}

/** A new token for this visitor, and where the gateway is. */
export async function fetchSession(): Promise<Session> {
  const response = await fetch("/api/session");
  if (!response.ok) throw new Error(`the web application answered ${response.status}`);
  return (await response.json()) as Session;
}

export function videoAddress(analysisId: string): string {
  return `/api/analyses/${encodeURIComponent(analysisId)}/video`;
}

/** Sends the file and resolves with the analysis it started; `onSent` is told the share that is sent, 0 to 1. */
export function sendVideo(file: File, onSent: (share: number) => void, signal: AbortSignal): Promise<string> {
  // Not fetch: it cannot say how much of a body is sent.
  const request = new XMLHttpRequest();
  const answered = Promise.withResolvers<string>();
  request.open("POST", `/api/analyses?name=${encodeURIComponent(file.name)}`);
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded, total }) => onSent(total > 0 ? loaded / total : 0));
  request.addEventListener("load", () => {
    const answer = request.response as { analysis_id?: string; message?: string } | null;
    if (request.status === 201 && answer?.analysis_id !== undefined) answered.resolve(answer.analysis_id);
    else answered.reject(new Error(answer?.message ?? `The upload was refused (${request.status}).`));
  });
  request.addEventListener("error", () =>
    answered.reject(new Error("The connection broke during the upload.")),
  );
  request.addEventListener("abort", () => answered.reject(new Error("The upload was called off.")));
  signal.addEventListener("abort", () => request.abort());
  request.send(file);
  return answered.promise;
}
