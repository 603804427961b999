/** A way in that a worker has without HTTP. */
export type WorkerLane = "bare" | "inbox";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * The broker of a stage: a real server, as a fault strikes it and as workers reach it. A kind of fault that needs more of
 * one broker asks for that broker by its class.
 */
export interface StagedBroker extends Address {
  /** The ways in that a worker has here, beside those over HTTP. */
  readonly lanes: readonly WorkerLane[];
  /** Whether the broker keeps a bare message until a gateway takes it. Otherwise one that nobody hears is lost. */
  readonly keepsBareMessages: boolean;
  /** Whether the same bytes again, with nothing in between, are one event. Otherwise every message is one. */
  readonly recognisesRetries: boolean;
  /** How many events at once the broker is meant for. */
  readonly burst: number;
  /** The settings of a gateway that reaches the broker at this address. */
  settingsFor(address: Address): Record<string, string>;
  /** A worker's connection, which comes back by itself. */
  connectWorker(address: Address): WorkerConnection;
  /** Ends the server at once, writing nothing. */
  kill9(): Promise<void>;
  /** Starts it again at the same address, with what it has on disk. */
  restart(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** How many dead letters it keeps. */
  deadLetters(): Promise<number>;
  /** How many connections listen to the events of this analysis; undefined if the broker does not tell. */
  readonly listenersOf: ((analysisId: string) => Promise<number>) | undefined;
  /** Ends it for good and removes what it wrote. */
  stop(): Promise<void>;
}

/** `refused`: surely not stored. `nobody`: nobody heard it. `unknown`: no answer came. */
export type WorkerAnswer = "taken" | "refused" | "nobody" | "unknown";

export interface WorkerConnection {
  /** Publishes one message. Never rejects. */
  publish(lane: WorkerLane, analysisId: string, payload: string | Uint8Array): Promise<WorkerAnswer>;
  close(): void;
}
