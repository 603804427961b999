import type {
  ClientConnectionPort,
  Frame,
  SendOutcome,
} from "../application/ports/client-connection-port.ts";

let made = 0;

/** A client's socket in memory. It keeps every frame; a test may have it take no more, or fail. */
export class RecordingConnection implements ClientConnectionPort {
  readonly id: string;
  /** The text of every frame that the socket took, queued ones included. */
  readonly frames: string[] = [];
  /** How many frames each batch handed over. */
  readonly batches: number[] = [];
  readonly closes: { readonly code: number; readonly reason: string }[] = [];
  pings = 0;
  #takes = Number.POSITIVE_INFINITY;
  #tookSome = false;
  #throws: "nothing" | "send" | "everything" = "nothing";
  #gone = false;

  constructor(id = `connection-${++made}`) {
    this.id = id;
  }

  /** The socket takes `frames` more: with the last of them it answers `blocked`, and with every further one. */
  takeOnly(frames: number): void {
    this.#takes = frames;
  }

  /** The socket takes everything again. The test tells the session, as the adapter would. */
  takeAll(): void {
    this.#takes = Number.POSITIVE_INFINITY;
  }

  /** Every send throws from now on, and so does the close of a socket that fails throughout. */
  throwOn(what: "send" | "everything"): void {
    this.#throws = what;
  }

  /** Everything answers `gone` from now on, as on a socket that broke. */
  breakDown(): void {
    this.#gone = true;
  }

  get messages(): ReceivedMessage[] {
    return this.frames.map((frame) => JSON.parse(frame) as ReceivedMessage);
  }

  get types(): string[] {
    return this.messages.map((message) => message.event_type);
  }

  /** The offsets of the events among the frames, in the order they came. */
  get offsets(): number[] {
    return this.messages.flatMap(({ event_id }) => (event_id === undefined ? [] : offsetOf(event_id)));
  }

  /** The code of the first close. */
  get closedWith(): number | undefined {
    return this.closes[0]?.code;
  }

  get unsent(): number {
    return this.#takes > 0 ? 0 : 1;
  }

  tookSome(): boolean {
    const took = this.unsent === 0 || this.#tookSome;
    this.#tookSome = false;
    return took;
  }

  /** The client reads on, and some bytes wait all the same. */
  takeSome(): void {
    this.#tookSome = true;
  }

  send(frame: Frame): SendOutcome {
    if (this.#throws !== "nothing") throw new Error("the socket throws");
    if (this.#gone || this.closes.length > 0) return "gone";
    this.frames.push(frame.text);
    this.#takes--;
    return this.#outcome();
  }

  batch(write: () => void): SendOutcome {
    const before = this.frames.length;
    write();
    this.batches.push(this.frames.length - before);
    return this.#outcome();
  }

  ping(): void {
    if (this.#throws !== "nothing") throw new Error("the socket throws");
    this.pings++;
  }

  close(code: number, reason: string): void {
    if (this.#throws === "everything") throw new Error("the socket throws");
    this.closes.push({ code, reason });
  }

  #outcome(): SendOutcome {
    if (this.#gone || this.closes.length > 0) return "gone";
    return this.#takes > 0 ? "sent" : "blocked";
  }
}

export interface ReceivedMessage {
  readonly event_type: string;
  readonly event_id?: string;
  readonly [field: string]: unknown;
}

function offsetOf(eventId: string): number {
  return Number(eventId.slice(eventId.lastIndexOf("-") + 1));
}
