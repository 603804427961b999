import type { Ending } from "./case-format.ts";
import type { Frame } from "./frames.ts";
import type { PendingRequest } from "./stream-visit.ts";
import {
  brokenAnswer,
  ClientFault,
  type Established,
  endingOf,
  problemOf,
  strangeAnswer,
  type Visit,
} from "./visit.ts";

/** Reads that wait: requests of one client, one after the other, until the script ends it. */
export class ReadVisit implements Visit {
  readonly transport = "poll";
  #pending: PendingRequest | undefined;
  readonly #due: Frame[] = [];
  #position: string | undefined;
  #ending: Ending | undefined;
  #isOver = false;
  #isAccepted = false;
  token: string;

  constructor(first: PendingRequest) {
    this.#pending = first;
    this.token = first.token;
  }

  get isOpen(): boolean {
    return !this.#isOver && this.#pending?.isAborted === false;
  }

  /** Whether the next request of the client is one of this visit. */
  get isGoingOn(): boolean {
    return this.#isAccepted && !this.#isOver && this.#pending?.isAborted !== true;
  }

  /** Throws ClientFault if the client reads from elsewhere than where it was. */
  take(request: PendingRequest): void {
    const after = request.url.searchParams.get("after");
    if (isPage(request) && this.#position !== undefined && after !== this.#position)
      throw new ClientFault(`it reads after ${after}, not after ${this.#position}`);
    this.#pending = request;
    this.token = request.token;
    this.#serve();
  }

  async accept(as: Established): Promise<string> {
    const request = this.#pending as PendingRequest;
    this.#isAccepted = true;
    const position = isPage(request) ? (request.url.searchParams.get("after") ?? "none") : "none";
    if (as.resumed(position) === false) {
      this.reset();
    } else if (position !== "none") this.#position = position;
    return position;
  }

  async refuseAnalysis(code: string): Promise<void> {
    return this.refuse(endingOf(code));
  }

  async refuse(ending: Ending): Promise<void> {
    this.#isOver = true;
    this.#answer(problemOf(ending));
  }

  block(how: "not_found" | "silence" | "page"): void {
    if (how === "silence") return;
    this.#isOver = true;
    this.#answer(strangeAnswer(how));
  }

  send(frame: Frame): void {
    // A read shows no notices and needs no signs of life.
    if (frame.event_type === "notice" || frame.event_type === "heartbeat") return;
    this.#due.push(frame);
    // A page has all that was sent at once.
    queueMicrotask(() => this.#serve());
  }

  garble(): void {
    this.#isOver = true;
    this.#answer(new Response("<p>hello</p>", { headers: { "Content-Type": "application/json" } }));
  }

  reset(): void {
    this.#position = undefined;
    this.#answer(Response.json({ events: [], last_event_id: "0", resumed: false }));
  }

  /** The time of a read is over. */
  beat(): void {
    this.#answer(Response.json({ events: [], frames: [], last_event_id: this.#position, resumed: true }));
  }

  end(ending: Ending): void {
    this.#ending = ending;
    this.#serve();
  }

  cut(): void {
    this.#isOver = true;
    this.#answer(brokenAnswer());
  }

  took(): undefined {
    return undefined;
  }

  #serve(): void {
    const request = this.#pending;
    if (request === undefined || !this.#isAccepted) return;
    const [next] = this.#due;
    if (next === undefined) {
      if (this.#ending) void this.refuse(this.#ending);
      return;
    }
    if (!isPage(request)) this.#serveState();
    // A state is never in a page: the client has to read it.
    else if (next.event_type !== "analysis_state") this.#servePage();
  }

  #serveState(): void {
    const index = this.#due.findIndex(({ event_type }) => event_type === "analysis_state");
    if (index < 0) return;
    // The frames before it are void.
    const { event_type: _, ...state } = this.#due.splice(0, index + 1).at(-1) as Frame;
    this.#position = state.last_event_id as string;
    this.#answer(Response.json(state));
  }

  /** An empty page says that the client has caught up. */
  #servePage(): void {
    const events: Frame[] = [];
    const frames: Frame[] = [];
    while (this.#due[0] && !["caught_up", "analysis_state"].includes(this.#due[0].event_type)) {
      const frame = this.#due.shift() as Frame;
      (typeof frame.event_id === "string" ? events : frames).push(frame);
    }
    if (events.length === 0 && frames.length === 0 && this.#due[0]?.event_type === "caught_up")
      this.#due.shift();
    this.#position = (events.at(-1)?.event_id as string | undefined) ?? this.#position;
    this.#answer(Response.json({ events, frames, last_event_id: this.#position, resumed: true }));
  }

  #answer(response: Response): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.answer(response);
  }
}

function isPage({ url }: PendingRequest): boolean {
  return url.pathname.endsWith("/events");
}
