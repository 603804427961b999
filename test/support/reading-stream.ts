export interface StreamOptions {
  readonly token?: string;
  readonly lastEventId?: string;
  readonly query?: string;
}

export interface StreamEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Reads a stream of events as the standard says, block by block. */
export class ReadingStream {
  readonly response: Response;
  /** The last `retry:` of the stream, in milliseconds; 0 before the first. */
  retry = 0;
  readonly #leave: AbortController;
  readonly #reader: ReadableStreamDefaultReader<string> | undefined;
  #unread = "";
  #comments = 0;

  constructor(response: Response, leave: AbortController) {
    this.response = response;
    this.#leave = leave;
    this.#reader = response.body?.pipeThrough(new TextDecoderStream() as never).getReader() as never;
  }

  /** The next event; rejects when the stream ends before. */
  async next(): Promise<StreamEvent> {
    for (;;) {
      const event = eventOf(await this.#block());
      if (event !== undefined) return event;
    }
  }

  /** Everything until the stream ends. */
  async rest(): Promise<StreamEvent[]> {
    const events: StreamEvent[] = [];
    for (let block = await this.#blockOrEnd(); block !== undefined; block = await this.#blockOrEnd()) {
      const event = eventOf(block);
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  /** Resolves when so many comments have come. */
  async comments(count: number): Promise<void> {
    while (this.#comments < count) await this.#block();
  }

  async leave(): Promise<void> {
    await this.#reader?.cancel();
    this.#leave.abort();
  }

  async #block(): Promise<string> {
    const block = await this.#blockOrEnd();
    if (block === undefined) throw new Error("the stream ended");
    return block;
  }

  async #blockOrEnd(): Promise<string | undefined> {
    for (let end = this.#unread.indexOf("\n\n"); ; end = this.#unread.indexOf("\n\n")) {
      if (end >= 0) return this.#take(end);
      const read = await this.#reader?.read();
      if (read === undefined || read.done) return undefined;
      this.#unread += read.value;
    }
  }

  #take(end: number): string {
    const block = this.#unread.slice(0, end);
    this.#unread = this.#unread.slice(end + 2);
    if (block.startsWith(":")) this.#comments++;
    if (block.startsWith("retry: ")) this.retry = Number(block.slice("retry: ".length));
    return block;
  }
}

/** Asks for the stream of an analysis; the status is the caller's to judge. */
export async function openStream(
  url: string,
  analysisId: string,
  options: StreamOptions,
): Promise<ReadingStream> {
  return openStreamAt(`${url}/v1/analyses/${analysisId}/events${options.query ?? ""}`, options);
}

/** Asks for any stream. */
export async function openStreamAt(
  address: string,
  { token, lastEventId }: Omit<StreamOptions, "query">,
): Promise<ReadingStream> {
  const leave = new AbortController();
  const headers = {
    Accept: "text/event-stream",
    ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    ...(lastEventId !== undefined && { "Last-Event-ID": lastEventId }),
  };
  const response = await fetch(address, { headers, signal: leave.signal });
  return new ReadingStream(response, leave);
}

function eventOf(block: string): StreamEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const [event, data] = [fields.get("event"), fields.get("data")];
  if (event === undefined || data === undefined) return undefined;
  return { id: fields.get("id"), event, data: JSON.parse(data) as Record<string, unknown> };
}
