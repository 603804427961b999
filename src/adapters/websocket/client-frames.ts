import { z } from "zod";
import type { ProtocolFault } from "../protocol-fault.ts";

/** What a client may say on `/ws/analysis/{id}`. */
export type ClientFrame =
  | { readonly type: "ping" }
  | { readonly type: "authenticate"; readonly token: string };

/** Longer frames are answered by the runtime itself with 1009. */
export const MAX_FRAME_BYTES = 4 * 1024;

const frame = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ping") }),
  z.object({ type: z.literal("authenticate"), token: z.string().min(1) }),
]);

export function readClientFrame(
  data: string | Uint8Array,
): { ok: true; frame: ClientFrame } | { ok: false; fault: ProtocolFault } {
  if (typeof data !== "string") return fault("not_text", "frames are JSON text");
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return fault("not_json", "the frame is not JSON");
  }
  const read = frame.safeParse(value);
  if (read.success) return { ok: true, frame: read.data };
  const [issue] = read.error.issues;
  if (issue?.path[0] === "type" || issue?.path.length === 0)
    return fault("unknown_type", "type is none of: ping, authenticate");
  return fault("invalid_frame", `${issue?.path.join(".")}: ${issue?.message}`);
}

function fault(code: ProtocolFault["code"], message: string): { ok: false; fault: ProtocolFault } {
  return { ok: false, fault: { code, message } };
}
