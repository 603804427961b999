import type { ReplayRequest } from "../../src/application/fan-out/replay.ts";
import type {
  ClientConnectionPort,
  Frame,
  SendOutcome,
} from "../../src/application/ports/client-connection-port.ts";
import { type AnalysisState, emptyState } from "../../src/domain/analysis-state.ts";
import { type AnalysisChannel, analysisIdOf } from "../../src/domain/channel.ts";
import type { EventPosition, GivenPosition } from "../../src/domain/event-position.ts";
import type { WebSocketSession } from "../../src/session/web-socket-session.ts";
import type { ModelNode } from "./model-node.ts";

/** The epoch of no history. */
export const NO_EPOCH = "0123456789";

/** A client's request to watch. */
export interface Asked {
  readonly user: string;
  readonly channel: AnalysisChannel;
  readonly mode: ReplayRequest["mode"];
  readonly conflates: boolean;
  readonly untilTerminal: boolean;
  /** Whether over `/ws`: then the client asks with a frame. */
  readonly many: boolean;
  readonly after: GivenPosition | undefined;
  /** Whether `after` is the last event this client has seen, so that what it knows goes on. */
  readonly continues: boolean;
}

export interface Received {
  readonly position: EventPosition;
  readonly text: string;
}

/** From one `connection_established` to the next. */
export interface Stretch {
  readonly resumed: boolean | null;
  /** Whether it is the first of its connection. */
  readonly first: boolean;
  /** The last event of each broker when it began. */
  readonly beganAfter: readonly Received[];
  readonly events: Received[];
  /** The position of the state that it began with; undefined until that came. */
  state: EventPosition | undefined;
  /** Whether something that this watcher was sent, or resumed from, was missing on some broker since. */
  lossSeen: boolean;
  /** The offset of the last event that its node had of the channel when the stretch began. */
  readonly nodeStoodAt: number;
  /** The oldest that any broker had kept when it began. */
  readonly oldestKept: number;
}

/** The state that a client computes from all it received, over its connections. */
export interface View {
  readonly state: AnalysisState;
  /** Whether everything that makes up the state was sent. */
  readonly known: boolean;
  /** Whether every event was sent, so that the stages are right as well. */
  readonly complete: boolean;
}

/** One client over all its connections. */
export class ModelClient {
  asked: Asked;
  connection: ModelConnection | undefined;
  /** The position of the last event that it received. */
  lastSeen: EventPosition | undefined;
  view: View;

  constructor(asked: Asked) {
    this.asked = asked;
    this.view = nothingSeen(asked.channel);
  }
}

export function nothingSeen(channel: AnalysisChannel): View {
  return { state: emptyState(analysisIdOf(channel)), known: true, complete: true };
}

export type ConnectionEnd = { readonly code: number; readonly reason: string } | "lost";

/** One socket of a client. Frames that the client does not take wait in the network and are lost with it. */
export class ModelConnection implements ClientConnectionPort {
  readonly id: string;
  readonly client: ModelClient;
  readonly node: ModelNode;
  readonly asked: Asked;
  readonly stretches: Stretch[] = [];
  /** The event_ids of the notices it was sent. */
  readonly notices = new Set<string>();
  /** Whether the position that was given was gone at some instant on some broker. */
  everGone = false;
  /** Whether the broker was away when it came. */
  cameInVain = false;
  /** Whether its user was allowed to watch at some instant since it came. */
  everAllowed = false;
  /** Whether the socket ever did not take everything at once. */
  slow = false;
  end: ConnectionEnd | undefined;
  session: WebSocketSession | undefined;
  readonly #sent: (connection: ModelConnection, frame: string) => () => void;
  readonly #ended: (connection: ModelConnection) => void;
  /** The effect on the client of each frame that it has not taken yet. */
  readonly #waiting: (() => void)[] = [];
  #waited = 0;
  #takes = Number.POSITIVE_INFINITY;

  constructor(
    id: string,
    client: ModelClient,
    node: ModelNode,
    sent: (connection: ModelConnection, frame: string) => () => void,
    ended: (connection: ModelConnection) => void,
  ) {
    this.id = id;
    this.client = client;
    this.node = node;
    this.asked = client.asked;
    this.#sent = sent;
    this.#ended = ended;
  }

  get stretch(): Stretch | undefined {
    return this.stretches.at(-1);
  }

  get open(): boolean {
    return this.end === undefined;
  }

  get unsent(): number {
    return this.#waiting.length;
  }

  tookSome(): boolean {
    const took = this.#waiting.length === 0 || this.#waiting.length < this.#waited;
    this.#waited = this.#waiting.length;
    return took;
  }

  send({ text: frame }: Frame): SendOutcome {
    if (!this.open) return "gone";
    const taken = this.#sent(this, frame);
    if (this.#takes > 0) {
      this.#takes--;
      taken();
    } else this.#waiting.push(taken);
    return this.#outcome();
  }

  batch(write: () => void): SendOutcome {
    write();
    return this.#outcome();
  }

  ping(): void {
    this.session?.ponged();
  }

  /** The closing handshake comes after the frames that wait. */
  close(code: number, reason: string): void {
    if (!this.open) return;
    for (const taken of this.#waiting.splice(0)) taken();
    this.end = { code, reason };
    this.#ended(this);
  }

  /** The client reads so many frames more and then none. */
  takeOnly(frames: number): void {
    this.#takes = frames;
    for (const taken of this.#waiting.splice(0, frames)) {
      taken();
      this.#takes--;
    }
    if (this.#takes > 0) this.#drained();
  }

  /** It reads again, everything. */
  takeAll(): void {
    this.takeOnly(Number.POSITIVE_INFINITY);
  }

  /** The network between the two is gone, and so are the frames that waited in it. */
  lose(): void {
    if (!this.open) return;
    this.#waiting.length = 0;
    this.end = "lost";
    this.#ended(this);
  }

  #drained(): void {
    const { session } = this;
    if (session !== undefined && this.open) this.node.run(() => session.drained());
  }

  #outcome(): SendOutcome {
    if (!this.open) return "gone";
    if (this.#takes > 0) return "sent";
    this.slow = true;
    return "blocked";
  }
}
