import { z } from "zod";
import { readPosition } from "../domain/event-position.ts";
import { bareToken } from "./presented-token.ts";

/** A frame that a client may send on `/ws/analysis/{id}` ("one") or on `/ws` ("many"). */
type ClientFrame =
  /** The bare text `ping`, which is no JSON: some libraries send it by themselves. */
  | { readonly type: "bare_ping" }
  | { readonly type: "ping" }
  | { readonly type: "authenticate"; readonly token: string }
  | SubscriptionFrame;

/** Only on `/ws`. `analysis_id` may be no UUID: the session refuses such a subscription. */
export type SubscriptionFrame = z.infer<typeof subscribe> | z.infer<typeof unsubscribe>;
export type SubscribeFrame = z.infer<typeof subscribe>;

/** A protocol error of a client; `code` is stable. */
export interface ProtocolFault {
  readonly code: "not_text" | "not_json" | "unknown_type" | "invalid_frame" | "invalid_query";
  readonly message: string;
}

/** The runtime itself answers longer frames with 1009. */
export const MAX_FRAME_BYTES = 4 * 1024;

const BARE_PING = "ping";

const ping = z.object({ type: z.literal("ping") });
const authenticate = z.object({
  type: z.literal("authenticate"),
  token: z.string().min(1).transform(bareToken).pipe(z.string().min(1)),
});
const subscribe = z.object({
  type: z.literal("subscribe"),
  analysis_id: z.string(),
  // Parsed now: two thousand such frames may wait, and a position is small however long the text of it is.
  last_event_id: z.string().nullish().transform(readPosition),
  replay: z.enum(["latest", "state", "all", "none"]).nullish(),
  resume: z.literal("strict").nullish(),
});
const unsubscribe = z.object({ type: z.literal("unsubscribe"), analysis_id: z.string() });

/** The rules of every frame that a client may send, by its type. */
export const CLIENT_FRAMES = { ping, authenticate, subscribe, unsubscribe };

const FRAMES = {
  one: z.discriminatedUnion("type", [ping, authenticate]),
  many: z.discriminatedUnion("type", [ping, authenticate, subscribe, unsubscribe]),
};
const TYPES = { one: "ping, authenticate", many: "ping, authenticate, subscribe, unsubscribe" };

/** Reads one frame of a client: a text as a string, a binary frame as bytes. A fault never repeats the frame. */
export function readClientFrame(
  data: string | Uint8Array,
  endpoint: "one" | "many",
): { ok: true; frame: ClientFrame } | { ok: false; fault: ProtocolFault } {
  if (typeof data !== "string") return fault("not_text", "frames are JSON text");
  if (data === BARE_PING) return { ok: true, frame: { type: "bare_ping" } };
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return fault("not_json", "the frame is not JSON");
  }
  const read = FRAMES[endpoint].safeParse(value);
  if (read.success) return { ok: true, frame: read.data };
  const [issue] = read.error.issues;
  if (issue?.path[0] === "type" || issue?.path.length === 0)
    return fault("unknown_type", `type is none of: ${TYPES[endpoint]}`);
  return fault("invalid_frame", `${issue?.path.join(".")}: ${issue?.message}`);
}

function fault(code: ProtocolFault["code"], message: string): { ok: false; fault: ProtocolFault } {
  return { ok: false, fault: { code, message } };
}
