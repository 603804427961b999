import type { Ending } from "./case-format.ts";
import type { Frame } from "./frames.ts";
import { type PendingRequest, StreamVisit } from "./stream-visit.ts";
import { ClientFault, type Established, type Visit } from "./visit.ts";

/** Reads that wait on `/v1/events`: each is a stream that ends after its first news, if its replay is over. */
export class StreamedReads implements Visit {
  readonly transport = "poll";
  #stream: StreamVisit;
  #established: Established | undefined;
  #due: Frame[] = [];
  #position = "none";
  #isReplayOver = false;
  #hasNews = false;
  #isOver = false;
  token: string;

  constructor(first: PendingRequest) {
    this.#stream = new StreamVisit(first);
    this.token = first.token;
  }

  get isOpen(): boolean {
    return !this.#isOver && this.#stream.isOpen;
  }

  /** Whether the next request of the client is one of this visit. */
  get isGoingOn(): boolean {
    return this.#established !== undefined && !this.#isOver && !this.#stream.isLeft;
  }

  /** Throws ClientFault if the client goes on from elsewhere than where it was. */
  take(request: PendingRequest): void {
    this.#stream = new StreamVisit(request);
    const { position } = this.#stream;
    if (position !== this.#position)
      throw new ClientFault(`it goes on from ${position}, not from ${this.#position}`);
    this.token = request.token;
    this.#isReplayOver = this.#hasNews = false;
    const due = this.#due;
    this.#due = [];
    void this.#stream.accept({ ...(this.#established as Established), resumed: () => true });
    for (const frame of due) this.send(frame);
    this.send({ event_type: "caught_up", analysis_id: request.analysisId, last_event_id: this.#position });
  }

  async accept(as: Established): Promise<string> {
    this.#established = as;
    this.#position = await this.#stream.accept(as);
    return this.#position;
  }

  async refuseAnalysis(code: string): Promise<void> {
    await this.#stream.refuseAnalysis(code);
    this.#over((stream) => stream.finish());
  }

  async refuse(ending: Ending): Promise<void> {
    this.#isOver = true;
    await this.#stream.refuse(ending);
  }

  block(how: "not_found" | "silence" | "page"): void {
    this.#stream.block(how);
  }

  send(frame: Frame): void {
    if (!this.#stream.isOpen) {
      if (frame.event_type !== "caught_up") this.#due.push(frame);
      return;
    }
    this.#stream.send(frame);
    const { event_type, event_id, last_event_id } = frame;
    if (event_type === "analysis_state") this.#position = last_event_id as string;
    else if (typeof event_id === "string" && event_type !== "notice") this.#position = event_id;
    if (event_type === "caught_up") this.#isReplayOver = true;
    else if (event_type !== "heartbeat") this.#hasNews = true;
    queueMicrotask(() => {
      if (this.#isReplayOver && this.#hasNews) this.#stream.finish();
    });
  }

  garble(): void {
    this.#over((stream) => stream.garble());
  }

  reset(): void {
    this.#isReplayOver = this.#hasNews = false;
    this.#stream.reset();
  }

  /** The time of a read is over. */
  beat(): void {
    this.#stream.finish();
  }

  end(ending: Ending): void {
    this.#over((stream) => stream.end(ending));
  }

  cut(): void {
    this.#over((stream) => stream.cut());
  }

  took(): undefined {
    return undefined;
  }

  #over(last: (stream: StreamVisit) => void): void {
    last(this.#stream);
    this.#isOver = true;
  }
}
