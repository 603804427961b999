import { headers } from "@nats-io/transport-node";
import { keptMessage } from "./kept-message.ts";
import { answerOf } from "./nats-api.ts";
import type { NatsRequests } from "./nats-connection.ts";
import { isConflict } from "./nats-errors.ts";
import { LINEAGE_SUBJECT, RECORDS } from "./subjects.ts";

/**
 * The line of history that a cluster of NATS is on, which all gateways read from the same message. If most of its servers die
 * at once, a cluster was seen to go on without its newest messages; nothing in it tells. So a gateway begins a new line
 * after each outage that it noticed, and each channel a new epoch with its next event.
 */
export class ClusterLineage {
  readonly #newName: () => string;
  #name = "";

  /** `newName` gives a name that nothing else has. */
  constructor(newName: () => string) {
    this.#newName = newName;
  }

  /** As last read; empty before. */
  get name(): string {
    return this.#name;
  }

  /** Reads the line that another gateway may have begun. Rejects as a request does. */
  async follow(link: NatsRequests): Promise<void> {
    const kept = await read(link);
    if (kept !== undefined) this.#name = kept.text;
  }

  /** Begins a new line, unless another gateway does at the same time. Rejects as a request does. */
  async renew(link: NatsRequests): Promise<void> {
    const kept = await read(link);
    const head = headers();
    head.set("Nats-Expected-Last-Subject-Sequence", `${kept?.sequence ?? 0}`);
    const name = this.#newName();
    try {
      answerOf((await link.request(LINEAGE_SUBJECT, name, { headers: head })).data);
      this.#name = name;
    } catch (error) {
      if (!isConflict(error)) throw error;
      await this.follow(link);
    }
  }
}

function read(link: NatsRequests) {
  return keptMessage(link, RECORDS.name, { last_by_subj: LINEAGE_SUBJECT });
}
