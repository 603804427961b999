import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import {
  DEAD_LETTER_KINDS,
  DEAD_LETTER_PAGE,
  DEAD_LETTERS,
  type DeadLetter,
  type DeadLetterPort,
  identityOf,
  type KeptDeadLetter,
  keptFields,
  kindOfDeadLetter,
} from "../../application/ports/dead-letter-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { LastingDenial } from "../broker/lasting-denial.ts";
import { RedisCommands } from "./redis-commands.ts";
import type { RedisTarget } from "./redis-connection.ts";
import { readFailure, writeFailure } from "./redis-errors.ts";
import { DEAD_LETTERS_KEY, deadLetterIdentityKey, deadLetterIndexKeys } from "./redis-keys.ts";
import { RedisLink } from "./redis-link.ts";
import { RedisLinks } from "./redis-links.ts";
import dropDeadLetter from "./scripts/remove-dead-letter.lua" with { type: "text" };
import { sendCommand } from "./send-command.ts";

interface RedisDeadLettersOptions {
  readonly target: RedisTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** The state that its connections share with the others of the gateway; without it they are on their own. */
  readonly links?: RedisLinks | undefined;
  /** The connection that keeps dead letters, and is closed with them. Without it one is made at the first `keep`. */
  readonly commands?: RedisCommands | undefined;
}

const ID = /^\d{1,20}-\d{1,20}$/;

/** The stream of dead letters. A gateway only keeps them, so the connection that reads is made at the first read. */
export class RedisDeadLetters implements DeadLetterPort {
  readonly #options: RedisDeadLettersOptions;
  readonly #links: RedisLinks;
  readonly #unkept: LastingDenial;
  #keeper: RedisCommands | undefined;
  #reader: RedisLink | undefined;
  #closed = false;

  constructor(options: RedisDeadLettersOptions) {
    this.#options = options;
    this.#links = options.links ?? new RedisLinks(options.clock, options.telemetry);
    this.#unkept = new LastingDenial(options.clock);
    this.#keeper = options.commands;
  }

  get trouble(): BrokerTrouble | undefined {
    return this.#unkept.trouble;
  }

  async keep(deadLetter: DeadLetter): Promise<void> {
    const { channel, payload, reason } = keptFields(deadLetter);
    const { text, windowMs, rememberMs } = identityOf(deadLetter);
    const at = new Date(this.#options.clock.now()).toISOString();
    const numbers = [DEAD_LETTERS.items, DEAD_LETTERS.bytes, windowMs, rememberMs];
    const kind = DEAD_LETTER_KINDS.indexOf(kindOfDeadLetter(deadLetter.channel)) + 1;
    this.#links.assertPermitted();
    await this.#unkept.watch(
      this.#commands().write(
        "deadLetter",
        [DEAD_LETTERS_KEY, deadLetterIdentityKey(text), ...deadLetterIndexKeys(DEAD_LETTER_KINDS)],
        [channel, payload, reason, at, ...numbers.map(String), `${kind}`],
      ),
    );
  }

  async *read(from: "oldest" | "newest"): AsyncIterable<KeptDeadLetter> {
    let start = from === "oldest" ? "-" : "+";
    for (;;) {
      const rows = await sendCommand(this.#link(), readFailure, (redis) =>
        from === "oldest"
          ? redis.xrange(DEAD_LETTERS_KEY, start, "+", "COUNT", DEAD_LETTER_PAGE.items)
          : redis.xrevrange(DEAD_LETTERS_KEY, start, "-", "COUNT", DEAD_LETTER_PAGE.items),
      );
      yield* rows.map(deadLetterOf);
      const last = rows.at(-1)?.[0];
      if (last === undefined || rows.length < DEAD_LETTER_PAGE.items) return;
      start = `(${last}`;
    }
  }

  async find(id: string): Promise<KeptDeadLetter | undefined> {
    if (!ID.test(id)) return undefined;
    const [row] = await sendCommand(this.#link(), readFailure, (redis) =>
      redis.xrange(DEAD_LETTERS_KEY, id, id),
    );
    return row === undefined ? undefined : deadLetterOf(row);
  }

  async remove(id: string): Promise<boolean> {
    if (!ID.test(id)) return false;
    const keys = [DEAD_LETTERS_KEY, ...deadLetterIndexKeys(DEAD_LETTER_KINDS)];
    const removed = await sendCommand(this.#link(), writeFailure, (redis) =>
      redis.eval(dropDeadLetter, keys.length, ...keys, id),
    );
    return removed === 1;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#keeper?.close();
    this.#reader?.close();
  }

  #commands(): RedisCommands {
    this.#assertOpen();
    this.#keeper ??= new RedisCommands({ ...this.#options, links: this.#links, purpose: "dead-letters" });
    return this.#keeper;
  }

  #link(): RedisLink {
    this.#assertOpen();
    const { target, clock, telemetry } = this.#options;
    this.#reader ??= new RedisLink({
      ...{ target, clock, telemetry, links: this.#links },
      purpose: "dead-letter-reader",
      onReady: () => {},
    });
    return this.#reader;
  }

  #assertOpen(): void {
    if (this.#closed) throw new BrokerUnavailable("closed", { trouble: { cause: "closed" } });
  }
}

function deadLetterOf([id, fields]: readonly [id: string, fields: readonly string[]]): KeptDeadLetter {
  const of = (name: string) => {
    const index = fields.findIndex((field, place) => place % 2 === 0 && field === name);
    return index === -1 ? "" : (fields[index + 1] ?? "");
  };
  return { id, channel: of("channel"), payload: of("payload"), reason: of("reason"), at: of("at") };
}
