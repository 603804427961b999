import { ANSWER_TIMEOUT_MS, backendFault } from "../../../../src/web/words/backend-fault.ts";

/** The answer of the page's own web application. */
export interface Session {
  readonly token: string;
  readonly gateway_url: string;
  readonly most_bytes: number;
}

const WHOM = "The web application";
const TO_DO = "Check that it is running, and try again.";
/** An upload may take long; one of which nothing moves for so long has broken. */
const UPLOAD_STALLED_MS = 60_000;

/** A new token for this visitor, and where the gateway is. Rejects with a sentence for the visitor. */
export async function fetchSession(): Promise<Session> {
  try {
    const response = await fetch("/api/session", { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    if (!response.ok) throw new Error(`${WHOM} answered ${response.status}. Try again in a moment.`);
    return (await response.json()) as Session;
  } catch (error) {
    throw new Error(backendFault(error, WHOM, TO_DO), { cause: error });
  }
}

export function videoAddress(analysisId: string): string {
  return `/api/analyses/${encodeURIComponent(analysisId)}/video`;
}

/** Sends the file and resolves with the analysis it started; `onSent` is told the share that is sent, 0 to 1. */
export function sendVideo(file: File, onSent: (share: number) => void, signal: AbortSignal): Promise<string> {
  // Not fetch: it cannot say how much of a body is sent.
  const request = new XMLHttpRequest();
  const answered = Promise.withResolvers<string>();
  const refuse = (message: string) => {
    clearTimeout(stalled);
    answered.reject(new Error(message));
  };
  const stall = () => {
    refuse("Nothing of the file has gone out for a minute. Check the connection, and send it again.");
    request.abort();
  };
  let stalled = setTimeout(stall, UPLOAD_STALLED_MS);
  request.open("POST", `/api/analyses?name=${encodeURIComponent(file.name)}`);
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    clearTimeout(stalled);
    stalled = setTimeout(stall, UPLOAD_STALLED_MS);
    onSent(total > 0 ? loaded / total : 0);
  });
  request.addEventListener("load", () => {
    const answer = request.response as { analysis_id?: string; message?: string } | null;
    clearTimeout(stalled);
    if (request.status === 201 && answer?.analysis_id !== undefined) answered.resolve(answer.analysis_id);
    else refuse(answer?.message ?? `The upload was refused (${request.status}).`);
  });
  request.addEventListener("error", () =>
    refuse(
      "The connection broke during the upload. Check that the web application is running, and send it again.",
    ),
  );
  request.addEventListener("abort", () => refuse("The upload was called off."));
  signal.addEventListener("abort", () => request.abort());
  request.send(file);
  return answered.promise;
}
