import type { Acceptance, Ending, TransportName } from "./case-format.ts";
import type { Frame } from "./frames.ts";

/** The client asks for the analysis. The script accepts it or not, and is then the gateway at the other end. */
export interface Visit {
  readonly transport: TransportName;
  readonly token: string;
  /** Whether the client may still be there. */
  readonly isOpen: boolean;
  /** Resolves with the position that the client asks from when it is established; `none` if it asks for the state. */
  accept(as: Established): Promise<string>;
  /** Refuses the analysis, with the gateway's code of a problem. */
  refuseAnalysis(code: string): Promise<void>;
  /** Refuses the connection. */
  refuse(ending: Ending): Promise<void>;
  /** Answers as no gateway does. */
  block(how: "not_found" | "silence" | "page"): void;
  send(frame: Frame): void;
  /** Sends a text that is no frame. */
  garble(): void;
  /** Says that the position is gone; the state follows. */
  reset(): void;
  /** Shows that the gateway is there though nothing happens. */
  beat(): void;
  /** Ends the connection for a reason that the client is told. */
  end(ending: Ending): void;
  /** Breaks the link. */
  cut(): void;
  /** Whether the client has sent a frame of this type since it was last asked for; a WebSocket alone. */
  took(type: "ping" | "authenticate"): Frame | undefined;
}

export type Established = Pick<Acceptance, "heartbeat_interval_seconds" | "heartbeat_timeout_seconds"> & {
  readonly timestamp: string;
  /** Judges the position: what `resumed` says. */
  readonly resumed: (position: string) => boolean | null;
};

/** Another thing was asked than the rules of the wire have. */
export class ClientFault extends Error {
  override readonly name = "ClientFault";
}

/** The text of a reason, with the time to come back as the gateway writes it. */
export function reasonOf({ reason, retry_after_ms }: Ending): string {
  return [reason, retry_after_ms === undefined ? "" : `retry_after_ms=${retry_after_ms}`]
    .filter(Boolean)
    .join(" ");
}

const END_OF: Readonly<Record<string, number>> = {
  not_an_analysis_id: 4004,
  position_gone: 4010,
  broker_unavailable: 1013,
  internal: 1013,
};

/** The end of a connection for one analysis that is refused with the gateway's code of a problem. */
export function endingOf(code: string): Ending {
  return { code: END_OF[code] ?? 4003, reason: code };
}

const STATUS_OF: Readonly<Record<number, [status: number, code: string]>> = {
  1001: [503, "shutting_down"],
  1013: [503, "broker_unavailable"],
  4001: [401, "token_invalid"],
  4003: [403, "not_allowed"],
  4004: [400, "not_an_analysis_id"],
  4010: [410, "position_gone"],
  4029: [429, "too_many_connections"],
};

/** The answer to a request that says what a close code says. */
export function problemOf({ code, reason, retry_after_ms }: Ending): Response {
  const [status, problem] = STATUS_OF[code] ?? [500, "internal_error"];
  const headers: Record<string, string> = { "Content-Type": "application/problem+json" };
  if (retry_after_ms !== undefined) headers["Retry-After"] = `${Math.ceil(retry_after_ms / 1000)}`;
  return new Response(JSON.stringify({ code: code === 4003 && reason ? reason : problem }), {
    status,
    headers,
  });
}

/** The answer of something on the way that is no gateway. */
export function strangeAnswer(how: "not_found" | "page"): Response {
  return how === "page"
    ? new Response("<p>Welcome</p>", { headers: { "Content-Type": "text/html" } })
    : new Response("no such page", { status: 404 });
}

/** An answer that breaks off. */
export function brokenAnswer(): Response {
  return new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("{"));
        controller.error();
      },
    }),
  );
}
