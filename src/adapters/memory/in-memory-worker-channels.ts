import type { ClockPort } from "../../application/ports/clock-port.ts";
import type {
  BareMessage,
  Listening,
  WorkerChannelPort,
} from "../../application/ports/worker-channel-port.ts";
import { OccurrenceCounter } from "../system/occurrence-counter.ts";
import type { InMemoryBroker } from "./in-memory-broker.ts";

interface InMemoryWorkerChannelsOptions {
  readonly broker: InMemoryBroker;
  readonly clock: ClockPort;
}

/** Bare publishing within one process. `publish` does what a worker's PUBLISH does. */
export class InMemoryWorkerChannels implements WorkerChannelPort {
  readonly #broker: InMemoryBroker;
  readonly #clock: ClockPort;
  readonly away = undefined;
  #stop: (() => void) | undefined;
  #listening: Listening | undefined;

  constructor({ broker, clock }: InMemoryWorkerChannelsOptions) {
    this.#broker = broker;
    this.#clock = clock;
  }

  async listen(heard: (message: BareMessage) => void): Promise<void> {
    const broker = this.#broker;
    this.#listening = {
      since: this.#clock.now(),
      newcomer: broker.workerListeners > 0,
      get others() {
        return broker.workerListeners > 1;
      },
    };
    const counter = new OccurrenceCounter(this.#clock.now());
    this.#stop = broker.addWorkerListener((message, name) => {
      // Each message is a stretch of its own: nothing tells them apart better.
      counter.marked(name);
      const { channel, payload } = message;
      heard({ ...message, occurrence: counter.heard(channel, payload, this.#clock.now()) });
    });
  }

  async stopListening(): Promise<void> {
    this.#stop?.();
    this.#stop = undefined;
    this.#listening = undefined;
  }

  listening(): Listening | undefined {
    return this.#listening;
  }

  publish(channel: string, payload: string): void {
    this.#broker.publishBare({ channel, payload });
  }

  async close(): Promise<void> {
    await this.stopListening();
  }
}
