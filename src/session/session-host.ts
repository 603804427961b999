import type { ConnectionWriter } from "../application/fan-out/connection-writer.ts";
import type { ConnectionId, ControlFrame } from "../application/ports/client-connection-port.ts";
import type { CloseCode } from "../domain/close-code.ts";
import type { SessionServices } from "./session-services.ts";

/** The connection, as what is watched over it sees it. */
export interface SessionHost {
  readonly id: ConnectionId;
  readonly writer: ConnectionWriter;
  readonly services: SessionServices;
  /** Resolves once every `authenticate` received so far was served; undefined where none waits. Never rejects. */
  readonly authenticating: Promise<void> | undefined;
  /** Sends what the client asked for. */
  answer(frame: ControlFrame): void;
  establish(resumed: boolean | null): void;
  tooSlow(): void;
  /** A fault of our own: logs it and ends the connection. Never throws. */
  failed(error: unknown): void;
  /** Ends the connection, and with it all that is watched over it. */
  close(code: CloseCode, reason: string): void;
}
