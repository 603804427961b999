import type { Redis } from "ioredis";
import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable } from "../../application/errors.ts";
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
import { LastingDenial } from "../broker/lasting-denial.ts";
import type { PerPrimary } from "./per-primary.ts";
import { RedisCommands } from "./redis-commands.ts";
import { readFailure, writeFailure } from "./redis-errors.ts";
import { DEAD_LETTERS_KEY, deadLetterIdentityKey, deadLetterIndexKeys } from "./redis-keys.ts";
import { RedisLink } from "./redis-link.ts";
import { RedisServers, type RedisServersOptions } from "./redis-servers.ts";
import dropDeadLetter from "./scripts/remove-dead-letter.lua" with { type: "text" };
import { sendCommand } from "./send-command.ts";

interface RedisDeadLettersOptions extends RedisServersOptions {
  /** The servers of the gateway, which other adapters use too. Default: its own. */
  readonly servers?: RedisServers | undefined;
  /** The connection that keeps dead letters, and is closed with them. Without it one is made at the first `keep`. */
  readonly keeper?: PerPrimary<RedisCommands> | undefined;
}

const ID = /^\d{1,20}-\d{1,20}$/;

/** The stream of dead letters. A gateway only keeps them, so the connection that reads is made at the first read. */
export class RedisDeadLetters implements DeadLetterPort {
  readonly #options: RedisDeadLettersOptions;
  readonly #servers: RedisServers;
  readonly #unkept: LastingDenial;
  #keeper: PerPrimary<RedisCommands> | undefined;
  #reader: PerPrimary<RedisLink> | undefined;
  #closed = false;

  constructor(options: RedisDeadLettersOptions) {
    this.#options = options;
    this.#servers = options.servers ?? new RedisServers(options);
    this.#unkept = new LastingDenial(options.clock);
    this.#keeper = options.keeper;
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
    const keys = [DEAD_LETTERS_KEY, deadLetterIdentityKey(text), ...deadLetterIndexKeys(DEAD_LETTER_KINDS)];
    const args = [channel, payload, reason, at, ...numbers.map(String), `${kind}`];
    await this.#keeping().at(DEAD_LETTERS_KEY, (commands) => {
      commands.assertPermitted();
      return this.#unkept.watch(commands.write("deadLetter", keys, args));
    });
  }

  async *read(from: "oldest" | "newest"): AsyncIterable<KeptDeadLetter> {
    let start = from === "oldest" ? "-" : "+";
    for (;;) {
      const rows = await this.#send(readFailure, (redis) =>
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
    const [row] = await this.#send(readFailure, (redis) => redis.xrange(DEAD_LETTERS_KEY, id, id));
    return row === undefined ? undefined : deadLetterOf(row);
  }

  async remove(id: string): Promise<boolean> {
    if (!ID.test(id)) return false;
    const keys = [DEAD_LETTERS_KEY, ...deadLetterIndexKeys(DEAD_LETTER_KINDS)];
    const removed = await this.#send(writeFailure, (redis) =>
      redis.eval(dropDeadLetter, keys.length, ...keys, id),
    );
    return removed === 1;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#keeper?.close();
    this.#reader?.close();
  }

  #keeping(): PerPrimary<RedisCommands> {
    this.#assertOpen();
    this.#keeper ??= deadLetterKeeper(this.#servers, this.#options);
    return this.#keeper;
  }

  async #send<Answer>(
    translate: (error: unknown) => unknown,
    command: (redis: Redis) => Promise<Answer>,
  ): Promise<Answer> {
    this.#assertOpen();
    const { clock, telemetry } = this.#options;
    this.#reader ??= this.#servers.ownerOf(
      DEAD_LETTERS_KEY,
      (primary) =>
        new RedisLink({
          ...{ target: primary.target, links: this.#servers.linksOf(primary), clock, telemetry },
          purpose: "dead-letter-reader",
          onReady: () => {},
        }),
    );
    return this.#reader.at(DEAD_LETTERS_KEY, (link) => sendCommand(link, translate, command));
  }

  #assertOpen(): void {
    if (this.#closed) throw new BrokerUnavailable("closed", { trouble: { cause: "closed" } });
  }
}

/** The connection that keeps dead letters, to the owner of their stream. */
export function deadLetterKeeper(
  servers: RedisServers,
  { clock, telemetry }: Pick<RedisServersOptions, "clock" | "telemetry">,
): PerPrimary<RedisCommands> {
  return servers.ownerOf(
    DEAD_LETTERS_KEY,
    (primary) =>
      new RedisCommands({
        ...{ target: primary.target, links: servers.linksOf(primary), clock, telemetry },
        purpose: "dead-letters",
      }),
  );
}

function deadLetterOf([id, fields]: readonly [id: string, fields: readonly string[]]): KeptDeadLetter {
  const of = (name: string) => {
    const index = fields.findIndex((field, place) => place % 2 === 0 && field === name);
    return index === -1 ? "" : (fields[index + 1] ?? "");
  };
  return { id, channel: of("channel"), payload: of("payload"), reason: of("reason"), at: of("at") };
}
