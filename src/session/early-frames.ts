/** Frames kept from a client that speaks before it is admitted; the eleventh ends it as an eleventh error would. */
const MOST_FRAMES = 10;
/** On `/ws` all that it wants to watch may be among them: some 1,500 frames, in characters. */
const MOST_CHARACTERS = 256 * 1024;
const CHARACTERS_BESIDE = 64;

/** What a client said before `connection_established`, until then. */
export class EarlyFrames {
  readonly #mostFrames: number;
  #frames: (string | Uint8Array)[] = [];
  #characters = 0;

  constructor(subscribes: boolean) {
    this.#mostFrames = subscribes ? Number.POSITIVE_INFINITY : MOST_FRAMES;
  }

  /** False where it is too much. */
  keep(frame: string | Uint8Array): boolean {
    this.#characters += frame.length + CHARACTERS_BESIDE;
    if (this.#frames.length >= this.#mostFrames || this.#characters > MOST_CHARACTERS) return false;
    this.#frames.push(frame);
    return true;
  }

  take(): (string | Uint8Array)[] {
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }
}
