import { BrokerError, BrokerUnavailable } from "../../application/errors.ts";
import type { Durability } from "../../application/ports/pub-sub-port.ts";
import type { NatsRequests, NatsServer } from "./nats-connection.ts";
import type { NatsLink } from "./nats-link.ts";
import { ensureStream, type FoundStream, findStream } from "./nats-streams.ts";
import { EVENTS, RECORDS, STATE } from "./subjects.ts";

/**
 * The least `max_payload` of a server, in bytes: a list of 1,000 viewers, which is one message, may have 259,000 bytes. Events
 * then have what is left beside `BESIDE_EVENTS`.
 */
export const LEAST_PAYLOAD = 256 * 1024;

/** The streams that the event log uses, as they were found last. */
export class EventStreams {
  #found: readonly FoundStream[] = [];

  /** Whether several servers keep them. */
  readonly areReplicated = () => this.#found.some(({ replicas }) => replicas > 1);

  get durability(): Durability {
    const events = this.#found.find(({ name }) => name === EVENTS.name);
    return { keptIn: events?.keptIn, replicas: events && events.replicas - 1 };
  }

  get warnings(): readonly string[] {
    return this.#found.flatMap((stream) => stream.warnings);
  }

  /**
   * Finds the streams on a new connection, or makes them. Rejects as `ensureStream` does, and with `BrokerUnavailable` (cause
   * `message_size`) if the server takes smaller messages than a gateway needs.
   */
  async ensure(connection: NatsRequests, server: NatsServer): Promise<void> {
    assertTakesMessages(server);
    this.#found = await Promise.all(WANTED.map((stream) => ensureStream(connection, stream, server)));
  }

  /** Looks at their settings again. If an operator has changed them so that a promise breaks, the link is not up until they are mended. */
  async lookAgain(link: NatsLink): Promise<void> {
    const { server } = link;
    if (server === undefined) return;
    try {
      this.#found = await Promise.all(WANTED.map((stream) => findStream(link, stream, server)));
    } catch (error) {
      if (error instanceof BrokerError && error.trouble.cause === "stream_settings") link.streamIsGone(error);
      throw error;
    }
  }
}

const WANTED = [EVENTS, STATE, RECORDS];

/** Throws `BrokerUnavailable` (cause `message_size`) if the server takes smaller messages than a gateway needs. */
export function assertTakesMessages({ mostBytes }: NatsServer): void {
  if (mostBytes >= LEAST_PAYLOAD) return;
  throw new BrokerUnavailable(`the server has max_payload ${mostBytes} and needs at least ${LEAST_PAYLOAD}`, {
    trouble: { cause: "message_size" },
  });
}
