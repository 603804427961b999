import { type AnalysisWatch, type WatchedEvent, watchAnalysis } from "../../src/client/watcher.ts";
import { tokenFor } from "../support/gateway-process.ts";

export type Status = "queued" | "running" | "stalled" | "completed" | "failed" | "cancelled";

interface Seen {
  readonly status: Status;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A page that watches one analysis, with the watcher of the package. */
export class Watch {
  readonly #watch: AnalysisWatch;
  #events: WatchedEvent[] = [];
  readonly #seen: Seen[] = [];

  constructor(url: string, analysisId: string) {
    this.#watch = watchAnalysis({
      url,
      analysisId,
      token: () => tokenFor(),
      lastEventId: "0",
      query: { conflate: "none" },
      onEvent: (event) => {
        this.#events.push(event);
        this.#see(statusAfter(event));
      },
      // Read again when the gateway says that the analysis has stalled, or runs on.
      onState: ({ status }) => {
        if (status === "stalled" || status === "running") this.#see(status);
      },
      onRestart: () => {
        this.#events = [];
      },
      onConnection: () => {},
    });
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

function statusAfter({ event_type, current_stage }: WatchedEvent): Status {
  if (event_type === "error" || current_stage === "failed") return "failed";
  if (event_type === "result" || event_type === "result_update" || current_stage === "completed")
    return "completed";
  if (current_stage === "cancelled" || current_stage === "queued") return current_stage;
  return "running";
}
