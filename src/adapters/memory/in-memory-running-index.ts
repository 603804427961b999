import {
  type IndexedAnalysis,
  MOST_INDEXED,
  type RunningIndexPort,
} from "../../application/ports/running-index-port.ts";
import type { InMemoryBroker } from "./in-memory-broker.ts";

/** `RunningIndexPort` within one process. */
export class InMemoryRunningIndex implements RunningIndexPort {
  readonly #broker: InMemoryBroker;

  constructor(broker: InMemoryBroker) {
    this.#broker = broker;
  }

  async put({ channel, dueAt }: IndexedAnalysis): Promise<boolean> {
    const { running } = this.#broker;
    if (running.size >= MOST_INDEXED && !running.has(channel)) return false;
    running.set(channel, dueAt);
    return true;
  }

  async due(now: number, limit: number): Promise<readonly IndexedAnalysis[]> {
    const due = Array.from(this.#broker.running, ([channel, dueAt]) => ({ channel, dueAt }));
    return due
      .filter(({ dueAt }) => dueAt <= now)
      .sort((one, other) => one.dueAt - other.dueAt)
      .slice(0, limit);
  }

  async settle(read: IndexedAnalysis, dueAt: number | undefined): Promise<void> {
    const { running } = this.#broker;
    if (running.get(read.channel) !== read.dueAt) return;
    if (dueAt === undefined) running.delete(read.channel);
    else running.set(read.channel, dueAt);
  }
}
