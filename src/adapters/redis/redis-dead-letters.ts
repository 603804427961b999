import { LETTER_KINDS } from "../../application/dead-letter-kind.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { DeadLetterPort, KeptDeadLetter } from "../../application/ports/dead-letter-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { readFailure, writeFailure } from "./broker-errors.ts";
import dropDeadLetter from "./drop-dead-letter.lua" with { type: "text" };
import type { RedisTarget } from "./redis-connection.ts";
import { DEAD_LETTERS_KEY, deadLetterBooks } from "./redis-keys.ts";
import { RedisLink } from "./redis-link.ts";
import { sendCommand } from "./send-command.ts";

export interface RedisDeadLettersOptions {
  readonly target: RedisTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/** A page is at most 6 MiB. */
const PAGE = 100;
const ID = /^\d{1,20}-\d{1,20}$/;

/** The stream of dead letters. */
export class RedisDeadLetters implements DeadLetterPort {
  readonly #link: RedisLink;

  constructor(options: RedisDeadLettersOptions) {
    this.#link = new RedisLink({ ...options, purpose: "dead-letter-reader", onReady: () => {} });
  }

  async *read(from: "oldest" | "newest"): AsyncIterable<KeptDeadLetter> {
    let start = from === "oldest" ? "-" : "+";
    for (;;) {
      const rows = await sendCommand(this.#link, readFailure, (redis) =>
        from === "oldest"
          ? redis.xrange(DEAD_LETTERS_KEY, start, "+", "COUNT", PAGE)
          : redis.xrevrange(DEAD_LETTERS_KEY, start, "-", "COUNT", PAGE),
      );
      yield* rows.map(letterOf);
      const last = rows.at(-1)?.[0];
      if (last === undefined || rows.length < PAGE) return;
      start = `(${last}`;
    }
  }

  async find(id: string): Promise<KeptDeadLetter | undefined> {
    if (!ID.test(id)) return undefined;
    const [row] = await sendCommand(this.#link, readFailure, (redis) =>
      redis.xrange(DEAD_LETTERS_KEY, id, id),
    );
    return row === undefined ? undefined : letterOf(row);
  }

  async remove(id: string): Promise<boolean> {
    if (!ID.test(id)) return false;
    const keys = [DEAD_LETTERS_KEY, ...deadLetterBooks(LETTER_KINDS)];
    const removed = await sendCommand(this.#link, writeFailure, (redis) =>
      redis.eval(dropDeadLetter, keys.length, ...keys, id),
    );
    return removed === 1;
  }

  async close(): Promise<void> {
    this.#link.close();
  }
}

function letterOf([id, fields]: readonly [id: string, fields: readonly string[]]): KeptDeadLetter {
  const of = (name: string) => {
    const index = fields.findIndex((field, place) => place % 2 === 0 && field === name);
    return index === -1 ? "" : (fields[index + 1] ?? "");
  };
  return { id, channel: of("channel"), payload: of("payload"), reason: of("reason"), at: of("at") };
}
