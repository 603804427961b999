import { createHash } from "node:crypto";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type {
  BareMessage,
  DeadLetter,
  WorkerChannelPort,
} from "../../application/ports/worker-channel-port.ts";
import { DEAD_LETTER_WINDOW_MS, DEAD_LETTERS_KEPT, keptPayload } from "../dead-letter-limits.ts";
import type { InMemoryBroker } from "./in-memory-broker.ts";

export interface InMemoryWorkerChannelsOptions {
  readonly broker: InMemoryBroker;
  readonly clock: ClockPort;
}

/** Bare publishing within one process: `publish` stands for a worker's PUBLISH. */
export class InMemoryWorkerChannels implements WorkerChannelPort {
  readonly #broker: InMemoryBroker;
  readonly #clock: ClockPort;
  readonly #stops = new Set<() => void>();

  constructor({ broker, clock }: InMemoryWorkerChannelsOptions) {
    this.#broker = broker;
    this.#clock = clock;
  }

  async listen(heard: (message: BareMessage) => void): Promise<void> {
    this.#stops.add(this.#broker.addWorkerListener(heard));
  }

  publish(channel: string, payload: string): void {
    this.#broker.publishBare({ channel, payload });
  }

  async keepDeadLetter({ channel, payload, reason }: DeadLetter): Promise<void> {
    const at = this.#clock.now();
    const { seenDeadLetters: seen, deadLetters } = this.#broker;
    const name = `${channel} ${createHash("sha256").update(payload).digest("base64")}`;
    if (seen.find("dead_letter", name, DEAD_LETTER_WINDOW_MS, at) !== undefined) return;
    seen.remember("dead_letter", name, { epoch: "", firstOffset: 0, count: 1, at }, DEAD_LETTER_WINDOW_MS);
    deadLetters.push({ channel, payload: keptPayload(payload), reason, at });
    if (deadLetters.length > DEAD_LETTERS_KEPT) deadLetters.shift();
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#stops.clear();
  }
}
