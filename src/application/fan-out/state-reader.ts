import { type AnalysisChannel, analysisIdOf } from "../../domain/channel.ts";
import { foldedState, stateText } from "../folded-state.ts";
import type { StateFrame } from "../ports/client-connection-port.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import type { ChannelSnapshot, PubSubPort } from "../ports/pub-sub-port.ts";
import type { TelemetryPort } from "../ports/telemetry-port.ts";
import { SharedAnswer } from "../shared-answer.ts";
import { untilAnswered } from "./until-answered.ts";

interface StateReaderParts {
  readonly channel: AnalysisChannel;
  readonly pubSub: PubSubPort;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** A running analysis whose worker was silent for so long has stalled. */
  readonly stallAfterMs: number;
}

/** Reads the state of one analysis for many watchers at once. Watchers that ask while a read is out share the next one. */
export class StateReader {
  readonly #parts: StateReaderParts;
  readonly #snapshots: SharedAnswer<ChannelSnapshot>;
  readonly #frames = new WeakMap<ChannelSnapshot, StateFrame>();
  #closed = false;

  constructor(parts: StateReaderParts) {
    this.#parts = parts;
    this.#snapshots = new SharedAnswer(() => parts.pubSub.snapshot(parts.channel));
  }

  /** Whether the broker has a current terminal event. Rejects as `PubSubPort.snapshot` does. */
  async hasCurrentTerminal(): Promise<boolean> {
    return (await this.#snapshots.get()).currentTerminal !== undefined;
  }

  /** The state at the position of the frame, read after this call. Rejects as `PubSubPort.snapshot` does. */
  async read(): Promise<StateFrame> {
    const snapshot = await this.#snapshots.get();
    const frame = this.#frames.get(snapshot) ?? this.#frameOf(snapshot);
    this.#frames.set(snapshot, frame);
    return frame;
  }

  /** As `read`, and tries again until the broker answers. Resolves with undefined if the reader is closed. Never rejects. */
  untilRead(): Promise<StateFrame | undefined> {
    return untilAnswered(
      () => this.read(),
      () => this.#closed,
      this.#parts,
    );
  }

  /** Ends every retry. */
  close(): void {
    this.#closed = true;
  }

  #frameOf(snapshot: ChannelSnapshot): StateFrame {
    const { channel, stallAfterMs } = this.#parts;
    const text = stateText(foldedState(analysisIdOf(channel), snapshot, stallAfterMs));
    return {
      text: `{"event_type":"analysis_state",${text.slice(1)}`,
      kind: "analysis_state",
      position: snapshot.position,
      hasEnded: snapshot.currentTerminal !== undefined,
    };
  }
}
