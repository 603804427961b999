import type { ConnectionRequest } from "./transport.ts";
import { type Frame, parseFrame } from "./watched-events.ts";

/** Ends the connection, for a reason that has a close code. */
export interface RequestRefused extends Error {
  readonly code: number;
  /** The gateway's own code of a problem, as `not_allowed`. */
  readonly problem: string | undefined;
}

/** `waitMs`: after how many milliseconds to come back, as the reason of a close code says it. */
export function refusalOf(code: number, reason: string, waitMs?: unknown, problem?: string): RequestRefused {
  const hint = Number(waitMs) > 0 ? ` retry_after_ms=${waitMs}` : "";
  return Object.assign(new Error(reason + hint), { code, problem });
}

/** Fetches below `/v1/`. Throws `RequestRefused` for any answer but a good one. */
export async function request(
  { base, environment }: Pick<ConnectionRequest, "base" | "environment">,
  token: string,
  path: string,
  init: RequestInit,
): Promise<Response> {
  const response = await environment.fetch(`${base}/v1/${path}`, {
    ...init,
    headers: { Authorization: `Bearer ${token}` },
    // A redirect would take the token elsewhere.
    redirect: "error",
  });
  if (response.ok) return response;
  const body = (await response.json().catch(() => ({}))) as { readonly code?: unknown } | null;
  const code = body?.code;
  // An answer that is no problem of the gateway comes from something on the way.
  if (typeof code !== "string") throw refusalOf(1006, `HTTP ${response.status}`);
  const waitMs = Number(response.headers.get("Retry-After")) * 1000;
  throw refusalOf(CLOSE_CODES[response.status] ?? 1006, code, waitMs, code);
}

const CLOSE_CODES: Readonly<Record<number, number>> = {
  401: 4001,
  403: 4003,
  410: 4010,
  429: 4029,
  503: 1013,
};

/**
 * The frames of a stream of server-sent events. Calls `heard` for each piece. Ends when `signal` aborts. Throws `RequestRefused` if the
 * gateway ends it for a reason.
 */
export async function* framesOf(
  { headers, body }: Response,
  signal: AbortSignal,
  heard: () => void,
): AsyncGenerator<Frame> {
  let waiting = "";
  const decoder = new TextDecoder();
  const reader = /^text.event-stream/.test(headers.get("Content-Type") ?? "") && body?.getReader();
  if (!reader) throw refusalOf(1006, "no gateway answers there");
  // Node forgets the signal of a request once its garbage collector has run. If it did not, nothing is left to cancel, and this fails.
  signal.addEventListener("abort", () => Promise.allSettled([reader.cancel()]));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    waiting += decoder.decode(value, { stream: true });
    const blocks = waiting.split("\n\n");
    waiting = blocks.pop() as string;
    for (const block of blocks) {
      const [, type, members] = /^event: (.*)\ndata: {(.*)/m.exec(block) ?? [];
      if (members === undefined) continue;
      const frame = parseFrame(`{"event_type":"${type}",${members}`);
      if (frame === undefined) throw refusalOf(1006, "no gateway answers there");
      if (type === "closing")
        throw refusalOf(frame.code as number, frame.reason as string, frame.retry_after_ms);
      yield frame;
    }
  }
}
