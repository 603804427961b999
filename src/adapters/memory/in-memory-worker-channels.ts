import { createHash } from "node:crypto";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type {
  BareMessage,
  DeadLetter,
  Listening,
  WorkerChannelPort,
} from "../../application/ports/worker-channel-port.ts";
import { DEAD_LETTERS_KEPT, keptPayload, knownLetter } from "../dead-letter-limits.ts";
import type { InMemoryBroker } from "./in-memory-broker.ts";

export interface InMemoryWorkerChannelsOptions {
  readonly broker: InMemoryBroker;
  readonly clock: ClockPort;
}

/** Bare publishing within one process: `publish` stands for a worker's PUBLISH. */
export class InMemoryWorkerChannels implements WorkerChannelPort {
  readonly #broker: InMemoryBroker;
  readonly #clock: ClockPort;
  readonly away = undefined;
  #stop: (() => void) | undefined;
  #since = 0;

  constructor({ broker, clock }: InMemoryWorkerChannelsOptions) {
    this.#broker = broker;
    this.#clock = clock;
  }

  async listen(heard: (message: BareMessage) => void): Promise<void> {
    this.#since = this.#clock.now();
    this.#stop = this.#broker.addWorkerListener(heard);
  }

  async stopListening(): Promise<void> {
    this.#stop?.();
    this.#stop = undefined;
  }

  listening(): Listening | undefined {
    if (this.#stop === undefined) return undefined;
    return { since: this.#since, others: this.#broker.workerListeners > 1 };
  }

  publish(channel: string, payload: string): void {
    this.#broker.publishBare({ channel, payload });
  }

  async keepDeadLetter(letter: DeadLetter): Promise<void> {
    const { channel, payload, reason } = letter;
    const at = this.#clock.now();
    const { seenDeadLetters: seen, deadLetters } = this.#broker;
    const { name, windowMs, rememberMs } = knownLetter(letter);
    // What is remembered for another time must stand in a lane of its own.
    const lane = `dead_letter ${rememberMs}`;
    const digest = createHash("sha256").update(name).digest("base64");
    if (seen.find(lane, digest, windowMs, at) !== undefined) return;
    seen.remember(lane, digest, { epoch: "", firstOffset: 0, count: 1, at }, rememberMs);
    deadLetters.push({ channel, payload: keptPayload(payload), reason, at });
    if (deadLetters.length > DEAD_LETTERS_KEPT) deadLetters.shift();
  }

  async close(): Promise<void> {
    await this.stopListening();
  }
}
