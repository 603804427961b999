import { BrokerUnavailable } from "../../application/errors.ts";
import type { RequestKey } from "../../application/ports/deduplication-key.ts";
import type { AppendOutcome, AppendRequest } from "../../application/ports/pub-sub-port.ts";
import { type ChannelHead, hasExpired, readHead } from "./channel-head.ts";
import { isVoid, positionsOf } from "./channel-message.ts";
import type { RenamedKey } from "./channel-state.ts";
import { type EventStream, NEVER } from "./event-stream.ts";
import { type AppendPlan, planAppend } from "./plan-append.ts";
import { publishInTime } from "./publish-in-time.ts";
import { type ChannelSubjects, subjectsOf } from "./subjects.ts";

export interface HistoryLimits {
  readonly size: number;
  readonly ttlMs: number;
}

interface ChannelAppendsOptions {
  readonly stream: EventStream;
  readonly history: HistoryLimits;
  /** Gives a name that nothing else has. */
  readonly newName: () => string;
  /** Gives a short text that only this name of a request has. */
  readonly digest: (name: string) => string;
}

/** Appends that become one message. If there is more than one, none has a key. */
export interface MessageAppends {
  readonly channel: string;
  readonly requests: readonly Pick<AppendRequest, "events" | "deduplicate">[];
  /** Milliseconds since 1970 on the broker's clock: later than this the broker stores nothing. */
  readonly deadline: number;
}

export interface AppendResult {
  /** In the order of the requests. */
  readonly outcomes: readonly AppendOutcome[];
  /** The channel afterwards, if something was stored. */
  readonly stored?: ChannelHead | undefined;
}

/** So many heads are remembered. Without one an append asks for it first. */
const HEADS_KEPT = 10_000;

/**
 * Appends to channels, each append as one message that must follow the last one its node knew. If another node was quicker,
 * the stream refuses it, and it is made anew on what that node stored. Call `append` once at a time for each channel.
 */
export class ChannelAppends {
  readonly #options: ChannelAppendsOptions;
  readonly #stream: EventStream;
  readonly #heads = new Map<string, ChannelHead>();

  constructor(options: ChannelAppendsOptions) {
    this.#options = options;
    this.#stream = options.stream;
  }

  /** Forgets everything that it knows of channels. */
  forget(): void {
    this.#heads.clear();
  }

  /**
   * Resolves when the stream has the message, or has told that it had it before, or if nothing was to be stored. Rejects
   * as `EventStream` does.
   */
  async append(appends: MessageAppends): Promise<AppendResult> {
    const subjects = subjectsOf(appends.channel);
    const key = appends.requests.map(({ deduplicate }) => deduplicate).find((it) => it?.by === "key");
    const earlier: number[] = [];
    for (let known = this.#takeHead(appends.channel); ; known = undefined) {
      const head = known ?? (await this.#readHead(subjects));
      const tried = await this.#try(head, subjects, appends, key, earlier);
      if (tried === "conflict") this.#assertInTime(appends.deadline);
      else if (tried.stored !== undefined || known === undefined) return this.#keep(appends.channel, tried);
      // It was judged by what this node remembered, which may be out of date.
      else if (tried.outcomes.every(({ type }) => type === "duplicate") && key !== undefined) return tried;
    }
  }

  async #readHead(subjects: ChannelSubjects): Promise<ChannelHead> {
    const head = await readHead(this.#stream, subjects, this.#options.history.ttlMs);
    if (head.kept === undefined || head.kept.course.lineage === head.lineage) return head;
    // Nodes that begin lines of history in turn must not begin an epoch in turn.
    await this.#stream.refreshLineage();
    return { ...head, lineage: this.#stream.lineage };
  }

  #plan(
    head: ChannelHead,
    { requests, deadline }: MessageAppends,
    renamed: RenamedKey | undefined,
  ): AppendPlan {
    const { history, newName } = this.#options;
    const now = this.#stream.now();
    return planAppend(head, requests, { size: history.size, deadline, now, newName, renamed });
  }

  /** Sends what was planned, under another id as long as the stream had the id for another request. */
  async #try(
    head: ChannelHead,
    { events: subject }: ChannelSubjects,
    appends: MessageAppends,
    key: RequestKey | undefined,
    earlier: number[],
  ): Promise<AppendResult | "conflict"> {
    const { deadline } = appends;
    const renamed = key && (await this.#renamedBefore(head, key));
    if (renamed !== undefined) return { outcomes: [renamed] };
    while (true) {
      const plan = this.#plan(head, appends, earlier.length === 0 ? undefined : this.#renamed(key, appends));
      const { message } = plan;
      if (message === undefined && (key === undefined || head.kept === undefined))
        return { outcomes: plan.outcomes };
      const id = key && this.#idOf(key, plan.birth, earlier.at(-1));
      const expected = message === undefined ? NEVER : head.lastSequence;
      const publication = { subject, text: message?.text ?? "", expected, id, deadline };
      const answer = await publishInTime(this.#stream, publication, head.lineage);
      switch (answer.type) {
        case "stored":
          if (message === undefined) throw new Error("a look-up was stored");
          return { outcomes: plan.outcomes, stored: message.headAt(answer.sequence) };
        case "conflict":
          return message === undefined ? { outcomes: plan.outcomes } : "conflict";
        case "duplicate": {
          const first = key && (await this.#firstTime(answer.sequence, key));
          if (first !== undefined) return { outcomes: [first] };
          earlier.push(answer.sequence);
        }
      }
    }
  }

  /** The positions of a request that the stream had before; undefined if that was too long ago, or came to nothing. */
  async #firstTime(
    sequence: number,
    { windowMs, rememberMs }: RequestKey,
  ): Promise<AppendOutcome | undefined> {
    const message = await this.#stream.at(sequence);
    if (message === undefined || isVoid(message)) return undefined;
    if (hasExpired(message.at, Math.min(windowMs, rememberMs), this.#stream.now())) return undefined;
    const { epoch, first, count } = positionsOf(message.text);
    return { type: "duplicate", epoch, firstOffset: first, count };
  }

  /** The positions of a request that the channel names under another id; undefined as for `#firstTime`. */
  async #renamedBefore({ kept }: ChannelHead, key: RequestKey): Promise<AppendOutcome | undefined> {
    const renamed = kept?.course.renamed.find(({ id }) => id === this.#nameOf(key));
    return renamed && (await this.#firstTime(renamed.sequence, key));
  }

  #renamed(key: RequestKey | undefined, { deadline }: MessageAppends): RenamedKey | undefined {
    return key && { id: this.#nameOf(key), sequence: 0, until: deadline + key.rememberMs };
  }

  /** The name of a key within one life of the channel's counter. */
  #nameOf({ name, scope }: RequestKey): string {
    const digest = this.#options.digest(name);
    return scope === "notices" ? `notices.${digest}` : digest;
  }

  #idOf(key: RequestKey, birth: string, earlier: number | undefined): string {
    const name = this.#nameOf(key);
    const id = key.scope === "notices" ? name : `${birth}.${name}`;
    return earlier === undefined ? id : `${id}@${earlier}`;
  }

  /** The head that this node left the channel at, if it is still good. It is not kept: the append may fail. */
  #takeHead(channel: string): ChannelHead | undefined {
    const head = this.#heads.get(channel);
    this.#heads.delete(channel);
    if (head?.kept === undefined || head.lineage !== this.#stream.lineage) return undefined;
    return hasExpired(head.kept.at, this.#options.history.ttlMs, this.#stream.now()) ? undefined : head;
  }

  #keep(channel: string, result: AppendResult): AppendResult {
    if (result.stored !== undefined) {
      this.#heads.set(channel, result.stored);
      const [oldest] = this.#heads.keys();
      if (this.#heads.size > HEADS_KEPT && oldest !== undefined) this.#heads.delete(oldest);
    }
    return result;
  }

  #assertInTime(deadline: number): void {
    if (this.#stream.now() < deadline) return;
    throw new BrokerUnavailable("other gateways were quicker until its deadline", {
      trouble: { cause: "busy" },
    });
  }
}
