import { BrokerError } from "../../application/errors.ts";
import type { ChannelPosition } from "../../application/ports/pub-sub-port.ts";
import { slotOf } from "./cluster-slots.ts";
import type { EventConnections } from "./event-connections.ts";
import type { KnownFormat } from "./known-format.ts";
import type { PerPrimary } from "./per-primary.ts";
import { isAboutSlot, isCrossSlot, isReply } from "./redis-errors.ts";
import { positionsOf } from "./stored-format.ts";

interface RedisPositionsOptions {
  readonly primaries: PerPrimary<EventConnections>;
  readonly format: KnownFormat;
  readonly isCluster: boolean;
}

type Positions = readonly (ChannelPosition | undefined)[];

/** The last positions of many channels, in as few calls as Redis allows: one for each primary. */
export class RedisPositions {
  readonly #options: RedisPositionsOptions;
  /** A Cluster behind one address shows itself only when it refuses a call whose keys lie in several slots. */
  #hasSlots = false;

  constructor(options: RedisPositionsOptions) {
    this.#options = options;
  }

  /** Resolves with the position of each record, in their order; with undefined for one whose slot is on its way. */
  async of(records: readonly string[]): Promise<Positions> {
    if (this.#options.isCluster) return this.#fromPrimaries(records);
    if (this.#hasSlots) return this.#bySlot(records);
    try {
      return await this.#declared(records);
    } catch (error) {
      if (!isCrossSlot(error)) throw error;
      this.#hasSlots = true;
      return this.#bySlot(records);
    }
  }

  /** Asks each primary once. It does not read the records of a slot that moves, or has moved: those are asked for by slot. */
  async #fromPrimaries(records: readonly string[]): Promise<Positions> {
    const found = await inGroups(
      records,
      (record) => this.#options.primaries.ownerOf(record),
      async (ofOne, owner) => (owner === undefined ? ofOne.map(() => undefined) : this.#at(owner, ofOne)),
    );
    const missing = records.filter((_, index) => found[index] === undefined);
    const rest = (await this.#bySlot(missing)).values();
    return found.map((position) => position ?? rest.next().value);
  }

  /** Resolves with undefined for each record that the primary may not read. */
  async #at({ commands }: EventConnections, records: readonly string[]): Promise<Positions> {
    try {
      return positionsOf(await commands.read("readPositions", [], [this.#options.format.newest, ...records]));
    } catch (error) {
      // A server that does not run scripts over several slots says so.
      if (isReply(error instanceof BrokerError ? error.cause : error)) return records.map(() => undefined);
      throw error;
    }
  }

  #bySlot(records: readonly string[]): Promise<Positions> {
    return inGroups(records, slotOf, async (ofOne) => {
      try {
        return await this.#declared(ofOne);
      } catch (error) {
        // The others are no worse for it.
        if (isAboutSlot(error)) return ofOne.map(() => undefined);
        throw error;
      }
    });
  }

  /** Asks in one call, at the owner of the first record. */
  async #declared(records: readonly string[]): Promise<Positions> {
    const { primaries, format } = this.#options;
    const reply = await primaries.at(records[0] ?? "", ({ commands }) =>
      commands.read("readPositions", records, [format.newest]),
    );
    return positionsOf(reply);
  }
}

/** Asks for all groups at once. The answers come in the order of the records. */
async function inGroups<Group, Answer>(
  records: readonly string[],
  groupOf: (record: string) => Group,
  ask: (records: readonly string[], group: Group) => Promise<readonly Answer[]>,
): Promise<readonly Answer[]> {
  const answers = new Array<Answer>(records.length);
  const groups = Map.groupBy(records.keys(), (index) => groupOf(records[index] as string));
  await Promise.all(
    Array.from(groups, async ([group, indexes]) => {
      const found = await ask(
        indexes.map((index) => records[index] as string),
        group,
      );
      for (const [at, index] of indexes.entries()) answers[index] = found[at] as Answer;
    }),
  );
  return answers;
}
