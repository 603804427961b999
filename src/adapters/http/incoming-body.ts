import type { ClockPort } from "../../application/ports/clock-port.ts";

/**
 * The most bytes of an unread body that the gateway takes and throws away, so that the client gets to read the answer. If
 * the gateway closed the connection of a client that still sends, the answer would be lost with it.
 */
const MOST_DISCARDED_BYTES = 16 * 1024 * 1024;
/** How long a client that asked in vain whether to go on may take to go on by itself. */
const EXPECTATION_MS = 3_000;

/** The reason why a body was not read: a code of `PROBLEMS`. */
type BodyFault = "event_too_large" | "request_timeout" | "request_aborted" | "expectation_failed";

/** The gateway did not get the whole body of a request; `code` says why. */
export class BodyRefused extends Error {
  override readonly name = "BodyRefused";
  readonly code: BodyFault;

  constructor(code: BodyFault, message: string) {
    super(message);
    this.code = code;
  }
}

const WORDS: Readonly<Record<Exclude<BodyFault, "event_too_large">, string>> = {
  request_timeout: "the body did not come whole in time",
  request_aborted: "the client went away before its body was whole",
  expectation_failed: "send it again without Expect",
};

function refusedFor(code: keyof typeof WORDS): BodyRefused {
  return new BodyRefused(code, WORDS[code]);
}

function bodyTooLarge(mostBytes: number): BodyRefused {
  return new BodyRefused("event_too_large", `a body has at most ${mostBytes} bytes`);
}

interface BodyLimits {
  readonly mostBytes: number;
  /** The time that the body may take to come whole. */
  readonly deadlineMs: number;
}

/**
 * The body of one request, bounded in bytes and in time. It reads nothing before a route asks for it, and then costs one
 * timer.
 */
export class IncomingBody {
  /** Whether the request says that a body follows. */
  readonly announced: boolean;
  readonly #request: Request;
  readonly #clock: ClockPort;
  /** By the clock, in milliseconds. */
  readonly #deadline: number;
  readonly #declaredBytes: number | undefined;
  readonly #mostBytes: number;
  /** The server sends `100 Continue` for the lower-case spelling only: a client with another may wait for ever. */
  readonly #waitsToContinue: boolean;
  /** `given_up`: the gateway will not read the rest. */
  #state: "unread" | "ended" | "given_up" = "unread";
  #chunks: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #receivedBytes = 0;

  constructor(request: Request, clock: ClockPort, { mostBytes, deadlineMs }: BodyLimits) {
    this.#request = request;
    this.#mostBytes = mostBytes;
    this.#clock = clock;
    this.#deadline = clock.now() + deadlineMs;
    const length = request.headers.get("Content-Length");
    this.#declaredBytes = length === null ? undefined : Number(length);
    const expected = request.headers.get("Expect");
    this.#waitsToContinue = expected !== "100-continue" && expected?.toLowerCase() === "100-continue";
    this.announced = (length !== null && length !== "0") || request.headers.has("Transfer-Encoding");
  }

  /** The whole body. Rejects with `BodyRefused`. */
  async bytes(): Promise<Uint8Array> {
    if (this.#declaredBytes !== undefined && this.#declaredBytes > this.#mostBytes) {
      throw bodyTooLarge(this.#mostBytes);
    }
    // A declared length bounds the body, and the runtime puts such a body together at less cost.
    const whole =
      this.#declaredBytes === undefined || this.#waitsToContinue ? this.#collected() : this.#atOnce();
    const bytes = await whole;
    this.#state = "ended";
    return bytes;
  }

  /** Takes the unread rest and throws it away. Resolves with whether the end was reached. Never rejects. */
  async discarded(): Promise<boolean> {
    if (this.#state !== "unread") return this.#state === "ended";
    if (this.#waitsToContinue || (this.#declaredBytes ?? 0) > MOST_DISCARDED_BYTES) return false;
    // The runtime hands out no body of a GET, so the gateway cannot tell whether it has come.
    if (this.#request.body === null) return false;
    try {
      await this.#read(MOST_DISCARDED_BYTES, () => {});
      return true;
    } catch (error) {
      if (error instanceof BodyRefused) return false;
      throw error;
    }
  }

  async #atOnce(): Promise<Uint8Array> {
    return new Uint8Array(await this.#inTime(this.#request.arrayBuffer()));
  }

  async #collected(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    await this.#read(this.#mostBytes, (chunk) => chunks.push(chunk));
    return Buffer.concat(chunks);
  }

  /** Reads up to the end, or until more than `mostBytes` have come. */
  async #read(mostBytes: number, take: (chunk: Uint8Array) => void): Promise<void> {
    this.#chunks ??= this.#request.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
    while (this.#chunks !== undefined) {
      const { done, value } = await this.#inTime(this.#chunks.read());
      if (done) break;
      this.#receivedBytes += value.byteLength;
      if (this.#receivedBytes > mostBytes) throw bodyTooLarge(mostBytes);
      take(value);
    }
    this.#state = "ended";
  }

  /** Rejects with `BodyRefused` if the client goes away, or if the time is up. */
  async #inTime<Value>(reading: Promise<Value>): Promise<Value> {
    const late = Promise.withResolvers<never>();
    const [leftMs, code] = this.#patience();
    const cancel = this.#clock.after(Math.max(0, leftMs), () => late.reject(refusedFor(code)));
    try {
      return await Promise.race([reading, late.promise]);
    } catch (error) {
      this.#state = "given_up";
      if (error instanceof BodyRefused) throw error;
      if (this.#request.signal.aborted) throw refusedFor("request_aborted");
      throw error;
    } finally {
      cancel();
    }
  }

  #patience(): readonly [number, keyof typeof WORDS] {
    const leftMs = this.#deadline - this.#clock.now();
    return this.#waitsToContinue && this.#receivedBytes === 0 && leftMs > EXPECTATION_MS
      ? [EXPECTATION_MS, "expectation_failed"]
      : [leftMs, "request_timeout"];
  }
}
