import { MAX_EVENT_BYTES } from "../../../domain/decode-event.ts";

/** A line of a program's output, or a bar that it draws again and again. */
export interface OutputLine {
  readonly text: string;
  /** False if the program wrote over it, or has not ended it yet. */
  readonly isWhole: boolean;
}

/** Longer lines are left out. */
const MOST_CHARACTERS = MAX_EVENT_BYTES + 16 * 1024;
/** A bar that no character ends yet is taken for whole if nothing followed it for so long. */
const SETTLED_MS = 200;
const END = /\r\n|\n|\r(?!$)/;

/** Takes the output of a program to pieces: lines, and bars that begin or end with a carriage return. */
export class OutputLines {
  readonly #onLine: (line: OutputLine) => void;
  readonly #decoder = new TextDecoder();
  #text = "";
  #isTooLong = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onLine: (line: OutputLine) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Uint8Array): void {
    clearTimeout(this.#timer);
    this.#take(this.#decoder.decode(chunk, { stream: true }));
    if (this.#text !== "")
      this.#timer = setTimeout(() => this.#tell(this.#text.replace(/\r$/, ""), false), SETTLED_MS);
  }

  /** Nothing follows. */
  end(): void {
    clearTimeout(this.#timer);
    this.#take(this.#decoder.decode());
    const rest = this.#text;
    this.#text = "";
    this.#tell(rest.replace(/\r$/, ""), !rest.endsWith("\r"));
  }

  #take(text: string): void {
    let rest = this.#text + text;
    for (let end = END.exec(rest); end !== null; end = END.exec(rest)) {
      this.#tell(rest.slice(0, end.index), end[0] !== "\r");
      this.#isTooLong = false;
      rest = rest.slice(end.index + end[0].length);
    }
    if (rest.length > MOST_CHARACTERS) {
      this.#isTooLong = true;
      rest = "";
    }
    this.#text = rest;
  }

  #tell(text: string, isWhole: boolean): void {
    if (text !== "" && !this.#isTooLong) this.#onLine({ text, isWhole });
  }
}
