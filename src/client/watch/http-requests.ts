import type { ConnectionRequest } from "./transport.ts";
import { type Frame, parseFrame } from "./watched-events.ts";

/** Ends the connection, for a reason that has a close code. */
export interface RequestRefused extends Error {
  readonly code: number;
  /** The gateway's own code of a problem, as `not_allowed`. */
  readonly problem: string | undefined;
}

export function refusalOf(code: number, reason: string, problem?: string): RequestRefused {
  return Object.assign(new Error(reason), { code, problem });
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
  throw await refusalIn(response);
}

const CLOSE_CODES: Readonly<Record<number, number>> = {
  401: 4001,
  403: 4003,
  410: 4010,
  429: 4029,
  503: 1013,
};

async function refusalIn(response: Response): Promise<RequestRefused> {
  const { code } = (await response.json().catch(() => ({}))) as { readonly code?: unknown };
  // An answer that is no problem of the gateway comes from something on the way.
  if (typeof code !== "string") return refusalOf(1006, `HTTP ${response.status}`);
  const seconds = Number(response.headers.get("Retry-After"));
  const hint = seconds > 0 ? ` retry_after_ms=${seconds * 1000}` : "";
  return refusalOf(CLOSE_CODES[response.status] ?? 1006, code + hint, code);
}

/** The frames of a stream of server-sent events. Calls `heard` for each piece. Throws `RequestRefused` if the gateway ends it for a reason. */
export async function* framesOf({ headers, body }: Response, heard: () => void): AsyncGenerator<Frame> {
  let waiting = "";
  const decoder = new TextDecoder();
  const reader = headers.get("Content-Type")?.startsWith("text/event-stream") && body?.getReader();
  if (!reader) throw refusalOf(1006, "no gateway answers there");
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    waiting += decoder.decode(value, { stream: true });
    const blocks = waiting.split("\n\n");
    waiting = blocks.pop() as string;
    for (const block of blocks) {
      const members = /^data: ?{(.*)/m.exec(block)?.[1];
      if (members === undefined) continue;
      const type = /^event: ?(.*)/m.exec(block)?.[1];
      const frame = parseFrame(`{"event_type":"${type}",${members}`);
      if (frame === undefined) throw refusalOf(1006, "no gateway answers there");
      if (type === "closing") {
        const { code, reason, retry_after_ms } = frame;
        const wait = retry_after_ms === undefined ? "" : ` retry_after_ms=${retry_after_ms}`;
        throw refusalOf(code as number, reason + wait);
      }
      yield frame;
    }
  }
}
