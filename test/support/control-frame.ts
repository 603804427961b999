import type { ControlFrame } from "../../src/application/ports/client-connection-port.ts";

/** A frame of the protocol itself, with any text. */
export function controlFrame(text: string): ControlFrame {
  return { text, kind: "heartbeat" };
}
