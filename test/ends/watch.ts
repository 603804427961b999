import { choiceOf } from "../../src/client/watch/transport-choice.ts";
import { type BareWatch, watchOver } from "../../src/client/watch/watch.ts";
import { everyEvent } from "../../src/gateway/commands/watch/every-event.ts";
import { tokenFor } from "../support/gateway-process.ts";

export type Status = "queued" | "running" | "stalled" | "completed" | "failed" | "cancelled";

interface Seen {
  readonly status: Status;
  /** Milliseconds since 1970. */
  readonly at: number;
}

interface WatchedEvent {
  readonly event_id: string;
  readonly event_type: string;
  readonly [field: string]: unknown;
}

/** A page that watches one analysis, with the client of the package, from its first event on. */
export class Watch {
  readonly #watch: BareWatch;
  #events: WatchedEvent[] = [];
  readonly #seen: Seen[] = [];

  constructor(url: string, analysisId: string) {
    const { transport } = everyEvent(undefined);
    this.#watch = watchOver(choiceOf([transport]))({ url, analysisId, token: () => tokenFor() });
    this.#watch.subscribe(() => {
      const { status = "unknown" } = this.#watch.getSnapshot().analysis ?? {};
      if (status !== "unknown") this.#see(status);
    });
    void this.#read();
  }

  async #read(): Promise<void> {
    for await (const event of this.#watch) {
      if (event.event_type === "analysis_state") this.#events = [];
      else if ("event_id" in event) this.#events.push({ ...event });
    }
  }

  get events(): readonly WatchedEvent[] {
    return this.#events;
  }

  /** Each status that differs from the one before. */
  get seen(): readonly Seen[] {
    return this.#seen;
  }

  get status(): Status | undefined {
    return this.#seen.at(-1)?.status;
  }

  get seenStalled(): boolean {
    return this.#seen.some(({ status }) => status === "stalled");
  }

  hasNumber(number: number): boolean {
    return this.#events.some((event) => event.number === number);
  }

  close(): void {
    this.#watch.close();
  }

  #see(status: Status): void {
    if (this.status !== status) this.#seen.push({ status, at: Date.now() });
  }
}
