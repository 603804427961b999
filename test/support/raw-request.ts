import { connect, type Socket } from "node:net";

/** A request on a socket of its own, byte by byte as the test writes it. */
export class RawRequest {
  readonly #socket: Socket;
  readonly #closed = Promise.withResolvers<void>();
  readonly #answered = Promise.withResolvers<void>();
  #answer = "";

  constructor(port: number, text: string) {
    this.#socket = connect({ port, host: "127.0.0.1" }, () => this.send(text));
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (bytes) => {
      this.#answer += bytes.toString("latin1");
      if (this.#answer.includes("\r\n\r\n")) this.#answered.resolve();
    });
    // A peer that hangs up on what was still being sent is what some tests are about.
    this.#socket.on("error", () => this.#closed.resolve());
    this.#socket.on("close", () => {
      this.#closed.resolve();
      this.#answered.resolve();
    });
  }

  /** All that was answered so far, one character a byte. */
  get answer(): string {
    return this.#answer;
  }

  send(text: string): void {
    if (!this.#socket.destroyed) this.#socket.write(Buffer.from(text, "latin1"));
  }

  /** Resolves with the answer when its header is whole, or when the other side hung up. */
  async answered(): Promise<string> {
    await this.#answered.promise;
    return this.#answer;
  }

  /** Resolves with all that was answered when the other side has hung up. */
  async closed(): Promise<string> {
    await this.#closed.promise;
    return this.#answer;
  }

  leave(): void {
    this.#socket.destroy();
  }
}

/** The header lines of a request, and what follows them. */
export function requestText(lines: readonly string[], body = ""): string {
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** The header of the answer to one request, from its status line on; then the socket is closed. */
export async function answerTo(port: number, lines: readonly string[], body = ""): Promise<string> {
  const request = new RawRequest(port, requestText(lines, body));
  const answer = await request.answered();
  request.leave();
  return answer;
}

/** The lines of a WebSocket upgrade, with more of them if given. */
export function upgradeLines(target: string, more: readonly string[] = ["Host: telltale.example"]): string[] {
  return [
    `GET ${target} HTTP/1.1`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...more,
  ];
}
