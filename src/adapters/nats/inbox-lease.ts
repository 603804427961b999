import { headers, type Msg } from "@nats-io/transport-node";
import { ASK_AGAIN_MS, LEASE_MS } from "../../application/ports/inbox-port.ts";
import { answerOf } from "./nats-api.ts";
import type { NatsRequests } from "./nats-connection.ts";
import { isConflict } from "./nats-errors.ts";
import { LEASE_SUBJECT, STATE_STREAM } from "./subjects.ts";

/** The holder says so again after this time, well within `LEASE_MS`. */
const RENEW_MS = 1_000;

/**
 * Which node takes from the inbox. The last message of a subject names it; a node replaces the message only if nobody else
 * did since it read it. No clock is compared: a node waits until it has found the same message for `LEASE_MS`.
 */
export class InboxLease {
  readonly #link: NatsRequests;
  readonly #node: string;
  readonly #now: () => number;
  /** The message of this node, if it was the last one when the node last looked. */
  #own: { readonly sequence: number; readonly since: number } | undefined;
  #other: { readonly sequence: number; readonly since: number } | undefined;

  /** `now` is a clock of this process that is never set, in milliseconds. */
  constructor(link: NatsRequests, node: string, now: () => number) {
    this.#link = link;
    this.#node = node;
    this.#now = now;
  }

  /** Resolves with undefined if this node may take, else with the milliseconds after which it may ask again. */
  async acquire(): Promise<number | undefined> {
    const own = this.#own;
    if (own !== undefined) {
      if (this.#now() - own.since < RENEW_MS) return undefined;
      if (await this.#replace(own.sequence, "held")) return undefined;
    }
    const { sequence, node, isHeld } = await this.#last();
    if (isHeld && node !== this.#node) {
      if (this.#other?.sequence !== sequence) this.#other = { sequence, since: this.#now() };
      const left = this.#other.since + LEASE_MS - this.#now();
      if (left > 0) return Math.min(ASK_AGAIN_MS, Math.ceil(left));
    }
    return (await this.#replace(sequence, "held")) ? undefined : ASK_AGAIN_MS;
  }

  /** Lets others take at once, if this node holds the lease. */
  async release(): Promise<void> {
    const own = this.#own;
    if (own === undefined) return;
    this.#own = undefined;
    await this.#replace(own.sequence, "released");
  }

  /** Call it when the connection is gone. */
  forget(): void {
    this.#own = undefined;
    this.#other = undefined;
  }

  async #last(): Promise<{ readonly sequence: number; readonly node: string; readonly isHeld: boolean }> {
    const query = JSON.stringify({ last_by_subj: LEASE_SUBJECT });
    const message = await this.#link.request(`$JS.API.DIRECT.GET.${STATE_STREAM}`, query);
    if (isStatus(message)) return { sequence: 0, node: "", isHeld: false };
    const [state, node = ""] = message.string().split(" ");
    return { sequence: Number(message.headers?.get("Nats-Sequence")), node, isHeld: state === "held" };
  }

  /** Resolves with whether the message at `sequence` was still the last one. */
  async #replace(sequence: number, state: "held" | "released"): Promise<boolean> {
    this.#own = undefined;
    const head = headers();
    head.set("Nats-Expected-Last-Subject-Sequence", `${sequence}`);
    const since = this.#now();
    try {
      const answer = await this.#link.request(LEASE_SUBJECT, `${state} ${this.#node}`, { headers: head });
      const { seq } = answerOf<{ readonly seq: number }>(answer.data);
      if (state === "held") this.#own = { sequence: seq, since };
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }
}

/** JetStream's answer without a message has a status. */
function isStatus({ data, headers: head }: Msg): boolean {
  return data.length === 0 && head !== undefined && head.code !== 0;
}
