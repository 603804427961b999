import type { AnalysisChannel } from "../../domain/channel.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import type { PubSubPort } from "../ports/pub-sub-port.ts";
import type { TelemetryPort } from "../ports/telemetry-port.ts";
import { reasonOf } from "../reason-of.ts";
import { SharedAnswer } from "../shared-answer.ts";
import type { Broadcaster } from "./broadcaster.ts";
import { type ReadHistory, SharedHistory } from "./shared-history.ts";

/** How long what was read for some is kept for others. */
const RETURNING_MS = 10_000;
const RETRY_MS = 500;
const NOWHERE: EventPosition = { epoch: "", offset: 0 };

/** What those who come back to one analysis need of the broker: asked once for all who ask at the same time. */
export class ReturningWatchers {
  readonly #broadcaster: Broadcaster;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  readonly #history: SharedHistory;
  readonly #terminal: SharedAnswer<boolean>;
  #closed = false;
  #forget: (() => void) | undefined;

  constructor(
    channel: AnalysisChannel,
    broadcaster: Broadcaster,
    pubSub: PubSubPort,
    clock: ClockPort,
    telemetry: TelemetryPort,
  ) {
    this.#telemetry = telemetry;
    this.#broadcaster = broadcaster;
    this.#clock = clock;
    this.#history = new SharedHistory((after, limit) => pubSub.history(channel, after, limit));
    this.#terminal = new SharedAnswer(
      async () => (await pubSub.snapshot(channel)).currentTerminal !== undefined,
    );
  }

  /** Whether a terminal event stands, as the broker has it. */
  hasCurrentTerminal(): Promise<boolean> {
    return this.#terminal.get();
  }

  /** As `SharedHistory.after`. */
  history(after: EventPosition | undefined): Promise<ReadHistory> {
    return this.#history.after(after);
  }

  /** As `history`, again until the broker answers or nobody watches any more. Never rejects. */
  async readOn(after: EventPosition | undefined): Promise<ReadHistory> {
    for (;;) {
      try {
        return await this.#history.after(after);
      } catch (error) {
        this.#telemetry.log("debug", "a replay waits for the broker", { message: reasonOf(error) });
      }
      await new Promise<void>((resolve) => this.#clock.after(RETRY_MS, resolve));
      if (this.#closed) return { resumed: false, events: [], from: 0, start: undefined, newest: NOWHERE };
    }
  }

  /** Keeps what was read, of a channel that stands at `position` on this node, for those who come next. */
  remember(read: ReadHistory, position: EventPosition): void {
    this.#broadcaster.remember(read, position);
    this.#forget ??= this.#clock.after(RETURNING_MS, () => {
      this.#forget = undefined;
      this.#broadcaster.forgetEarlier();
    });
  }

  close(): void {
    this.#closed = true;
    this.#forget?.();
  }
}
