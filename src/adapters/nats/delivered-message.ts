import type { Msg } from "@nats-io/transport-node";

/** Where a message lies that a reader of a stream delivered. */
export interface DeliveredPlace {
  readonly sequence: number;
  /** When the stream stored it, in whole milliseconds since 1970 by the broker's clock, rounded down. */
  readonly at: number;
  /** The same instant in nanoseconds, all digits of it. */
  readonly nanoseconds: string;
  /** How many messages follow it for the reader. */
  readonly pending: number;
}

/** Reads it from the reply subject: `$JS.ACK.stream.reader.1.sequence.1.nanoseconds.pending`. */
export function placeOf({ reply = "" }: Msg): DeliveredPlace {
  const parts = reply.split(".");
  // Newer servers put a domain and an account after `$JS.ACK`.
  const [, sequence, , nanoseconds = "", pending] = parts.slice(parts.length > 9 ? 6 : 4);
  return {
    sequence: Number(sequence),
    at: millisecondsOf(nanoseconds),
    nanoseconds,
    pending: Number(pending),
  };
}

/** Nanoseconds as JetStream writes them, in whole milliseconds, rounded down: as a number they would lose their last digits. */
function millisecondsOf(nanoseconds: string): number {
  return Number(nanoseconds.slice(0, -6));
}
