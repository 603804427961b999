import { compareTimedIds } from "../../src/adapters/system/timed-id.ts";
import type { InboxBacklog, InboxPort, Taken } from "../../src/application/ports/inbox-port.ts";
import type { ModelPubSub } from "./model-pub-sub.ts";
import type { ProcessClock } from "./model-time.ts";

const BATCH = 5;
const ARRIVAL_MS = 1_000;

/** The inbox as one node sees it, on the connection that its other commands go on; every node takes, none has a lease. */
export class ModelInbox implements InboxPort {
  readonly takesWorkerChannels = false;
  readonly #pubSub: ModelPubSub;
  readonly #clock: ProcessClock;

  constructor(pubSub: ModelPubSub, clock: ProcessClock) {
    this.#pubSub = pubSub;
    this.#clock = clock;
  }

  take(): Promise<Taken> {
    return this.#pubSub.command((server) => ({ type: "batch", entries: server.inbox.slice(0, BATCH) }));
  }

  arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(ARRIVAL_MS, resolve);
    });
  }

  remove(ids: readonly string[]): Promise<void> {
    return this.#pubSub.command((server) => server.removeFromInbox(ids));
  }

  async release(): Promise<void> {}

  async backlog(): Promise<InboxBacklog> {
    return { entries: 0, oldest: undefined };
  }

  compareIds(one: string, other: string): number {
    return compareTimedIds(one, other);
  }

  async close(): Promise<void> {}
}
