import { MAX_EVENT_BYTES } from "../../domain/decode-event.ts";

/** One line of the input. Numbers begin with 1. */
export type EventLine = { readonly number: number } & (
  | { readonly text: string; readonly fault?: undefined }
  /** Why the line is no text of an event. */
  | { readonly text?: undefined; readonly fault: string }
);

/** An event, and what a line may have beside it: the analysis_id, and blanks. */
const MOST_BYTES = MAX_EVENT_BYTES + 16 * 1024;
const [LINE_FEED, RETURN] = [0x0a, 0x0d];
const BYTE_ORDER_MARK = "\ufeff";

/**
 * The lines of UTF-8 that end with `\n` or `\r\n`. No more than one event may have is held of a line. A byte order mark at the
 * beginning of the input is left out. Ends without the line that is not whole when `signal` is aborted.
 */
export async function* eventLines(
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<EventLine> {
  const line = new LineBytes();
  for await (const chunk of until(signal, input)) {
    for (let from = 0; from < chunk.length; ) {
      const end = chunk.indexOf(LINE_FEED, from);
      line.add(chunk.subarray(from, end === -1 ? chunk.length : end));
      if (end === -1) break;
      yield line.take();
      from = end + 1;
    }
  }
  if (!signal.aborted && !line.isEmpty) yield line.take();
}

/** The bytes of the line that is being read. */
class LineBytes {
  #pieces: Uint8Array[] = [];
  #length = 0;
  #number = 1;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  add(piece: Uint8Array): void {
    this.#length += piece.length;
    if (this.#isTooLong()) this.#pieces = [];
    // A copy: the reader may use its buffer again.
    else if (piece.length > 0) this.#pieces.push(piece.slice());
  }

  /** The line; the next one begins. */
  take(): EventLine {
    const [number, pieces, isTooLong] = [this.#number, this.#pieces, this.#isTooLong()];
    this.#pieces = [];
    this.#length = 0;
    this.#number += 1;
    if (isTooLong) return { number, fault: `it has more than ${MOST_BYTES} bytes` };
    const bytes = Buffer.concat(pieces);
    const text = decoded(bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes);
    if (text === undefined) return { number, fault: "it is not UTF-8" };
    return { number, text: number === 1 && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text };
  }

  #isTooLong(): boolean {
    return this.#length > MOST_BYTES;
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Undefined if the bytes are not UTF-8: another reading would alter the event. */
function decoded(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The items until `signal` is aborted, also while the next one does not come. */
async function* until<Item>(signal: AbortSignal, items: AsyncIterable<Item>): AsyncGenerator<Item> {
  const iterator = items[Symbol.asyncIterator]();
  const { promise: stopped, resolve } = Promise.withResolvers<undefined>();
  const stop = () => resolve(undefined);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    for (;;) {
      const next = await Promise.race([stopped, iterator.next()]);
      if (next === undefined || next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
