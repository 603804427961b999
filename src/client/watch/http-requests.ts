import type { Connection, ConnectionOwner, ConnectionRequest } from "./transport.ts";
import type { Frame } from "./watched-events.ts";

/** One analysis that is watched by requests. */
export interface Watching {
  readonly signal: AbortSignal;
  heard(): void;
  took(frame: Frame): void;
}

/** Ends the connection, for a reason that has a close code. */
export interface RequestRefused extends Error {
  readonly code: number;
  /** The gateway's own code of a problem, as `not_allowed`. */
  readonly problem: string | undefined;
}

export function refusalOf(code: number, reason: string, problem?: string): RequestRefused {
  return Object.assign(new Error(reason), { code, problem });
}

/**
 * A connection of requests: `watch` makes those of one analysis, until it is stopped or throws. If those of one analysis fail, the
 * connection has ended; a refusal that concerns one analysis leaves the others alone.
 */
export function connectionOfRequests(
  owner: ConnectionOwner,
  watch: (analysisId: string, position: string | undefined, watching: Watching) => Promise<void>,
): Omit<Connection, "authenticate"> {
  const running = new Map<string, AbortController>();
  let isOpened = false;
  const stop = (id: string) => {
    running.get(id)?.abort();
    running.delete(id);
  };
  const close = () => {
    for (const id of running.keys()) stop(id);
  };
  return {
    subscribe({ analysisId, position }) {
      stop(analysisId);
      const controller = new AbortController();
      const { signal } = controller;
      running.set(analysisId, controller);
      const took = (frame: Frame) => {
        if (signal.aborted) return;
        if (!isOpened) owner.opened(frame);
        isOpened = true;
        if (!signal.aborted) owner.took(frame);
      };
      const heard = () => signal.aborted || owner.heard();
      watch(analysisId, position, { signal, heard, took }).catch((error) => {
        if (signal.aborted) return;
        const { code = 1006, message } = error as RequestRefused;
        const concernsOne = code === 4003 || code === 4004;
        if (concernsOne) {
          stop(analysisId);
          if (!isOpened) owner.opened({ event_type: "" });
          isOpened = true;
          owner.took({ event_type: "subscription_refused", analysis_id: analysisId, code: message });
        } else {
          close();
          owner.ended(code, message);
        }
      });
    },
    unsubscribe: ({ analysisId }) => stop(analysisId),
    ping: () => false,
    close,
  };
}

/** Fetches below `/v1/analyses/`. Throws `RequestRefused` for any answer but a good one. */
export async function request(
  { base, environment }: Pick<ConnectionRequest, "base" | "environment">,
  token: string,
  path: string,
  { accept = "*/*", ...init }: RequestInit & { readonly accept?: string } = {},
): Promise<Response> {
  const response = await environment.fetch(`${base}/v1/analyses/${path}`, {
    headers: { Accept: accept, Authorization: `Bearer ${token}` },
    // A redirect would take the token elsewhere.
    redirect: "error",
    ...init,
  });
  if (response.ok) return response;
  throw await refusalIn(response);
}

const CLOSE_CODES: Readonly<Record<number, number>> = {
  400: 4004,
  401: 4001,
  403: 4003,
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
