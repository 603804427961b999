import {
  type IndexedAnalysis,
  MOST_INDEXED,
  type RunningIndexPort,
} from "../../application/ports/running-index-port.ts";
import { type AnalysisChannel, parseChannel } from "../../domain/channel.ts";
import type { EventConnections } from "./event-connections.ts";
import type { PerPrimary } from "./per-primary.ts";

/** A sorted set of channels by when they are due, in the slot of its name. */
const RUNNING_KEY = "telltale:running";

/** `RunningIndexPort` on the primary that owns the slot of the index. */
export class RedisRunningIndex implements RunningIndexPort {
  readonly #primaries: PerPrimary<EventConnections>;

  constructor(primaries: PerPrimary<EventConnections>) {
    this.#primaries = primaries;
  }

  async put({ channel, dueAt }: IndexedAnalysis): Promise<boolean> {
    const [, taken] = await this.#write("put", channel, `${dueAt}`, `${MOST_INDEXED}`);
    return taken === 1;
  }

  async due(now: number, limit: number): Promise<readonly IndexedAnalysis[]> {
    const [, ...rows] = await this.#primaries.at(RUNNING_KEY, ({ commands }) =>
      commands.read("readRunning", [RUNNING_KEY], [`${now}`, `${limit}`]),
    );
    return Array.from({ length: rows.length / 2 }, (_, index) => ({
      channel: parseChannel(String(rows[2 * index])) as AnalysisChannel,
      dueAt: Number(rows[2 * index + 1]),
    }));
  }

  async settle({ channel, dueAt: read }: IndexedAnalysis, dueAt: number | undefined): Promise<void> {
    await this.#write("settle", channel, `${read}`, dueAt === undefined ? "" : `${dueAt}`);
  }

  #write(...args: readonly string[]) {
    return this.#primaries.at(RUNNING_KEY, ({ commands }) =>
      commands.write("indexRunning", [RUNNING_KEY], args),
    );
  }
}
