import { type AnalysisChannel, analysisIdOf } from "../../src/domain/channel.ts";
import { must } from "./judge.ts";
import { checkBare, type Publication } from "./model-bare.ts";
import type { ModelNode } from "./model-node.ts";
import type { ModelServer } from "./model-server.ts";
import type { ModelTime } from "./model-time.ts";

export const KINDS = [
  "initializing",
  "model_inference",
  "post_processing",
  "result",
  "completed",
  "failed",
  "error",
  "queued",
  "cancelled",
  "data",
] as const;
export type Kind = (typeof KINDS)[number];
/** How many runs of the worker an analysis may have. */
export const ATTEMPTS = 3;

/** A request that was sent under an idempotency key. */
export interface Keyed {
  readonly channel: AnalysisChannel;
  readonly key: string;
  readonly body: string;
}

/** An entry that a worker put into the inbox. */
interface Entry {
  readonly sequence: number;
  readonly channel: AnalysisChannel;
  readonly payload: string;
}

/** Well within the minute in which the same bytes may be a retry, however long a node holds them. */
const REPEAT_WITHIN_MS = 20_000;

/** Everything that was published and the answers to it. Each event bears a number of the test's own. */
export class Publishing {
  readonly keyed: Keyed[] = [];
  readonly #time: ModelTime;
  readonly #attempts: boolean;
  readonly #bare: Publication[] = [];
  readonly #entries: Entry[] = [];
  readonly #answered = new Set<number>();
  /** Numbers that were on a log, or among dead letters, which may not have survived. */
  readonly #everStored = new Set<number>();
  #sequence = 0;

  constructor(time: ModelTime, attempts: boolean) {
    this.#time = time;
    this.#attempts = attempts;
  }

  event(kind: Kind, attempt: number): { readonly sequence: number; readonly fields: object } {
    const sequence = ++this.#sequence;
    const run = this.#attempts ? { attempt_id: `attempt-${attempt}` } : {};
    return { sequence, fields: { ...fieldsOf(kind, sequence), ...run, sequence } };
  }

  /** Publishes over HTTP, under a key. An event that is answered with an event_id is stored by then. */
  publish(node: ModelNode, keyed: Keyed): void {
    const { server } = node.pubSub;
    node.broadcast.execute(keyed.channel, keyed.body, keyed.key).then(
      (answer) => {
        must(answer.type !== "invalid", "the model publishes valid events");
        if (answer.type === "stored" && !answer.duplicate)
          for (const sequence of sequencesOf(keyed.body)) {
            this.#answered.add(sequence);
            if (has(server, keyed.channel, sequence)) this.#everStored.add(sequence);
          }
      },
      () => undefined,
    );
  }

  makeKeyed(channel: AnalysisChannel, kinds: readonly Kind[], attempt: number): Keyed {
    const events = kinds.map((kind) => this.event(kind, attempt).fields);
    const keyed = { channel, key: `key-${this.#sequence}`, body: JSON.stringify(events) };
    this.keyed.push(keyed);
    return keyed;
  }

  makeBare(channel: AnalysisChannel, kind: Kind, attempt: number): Publication {
    const { sequence, fields } = this.event(kind, attempt);
    return this.#published({ sequence, channel, payload: JSON.stringify(fields) });
  }

  makeEntry(channel: AnalysisChannel, kind: Kind, attempt: number): Entry {
    const { sequence, fields } = this.event(kind, attempt);
    return { sequence, channel, payload: JSON.stringify({ ...fields, analysis_id: analysisIdOf(channel) }) };
  }

  /** The broker has it. */
  entered(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** The same bytes again as were published a moment ago, mostly of what was published last. */
  repeatBare(pick: number): Publication | undefined {
    const recent = this.#bare.filter(({ at }) => this.#time.now - at < REPEAT_WITHIN_MS).slice(-8);
    const again = recent[pick % Math.max(1, recent.length)];
    return again && this.#published(again);
  }

  #published({ sequence, channel, payload }: Entry): Publication {
    const publication = { sequence, channel, payload, at: this.#time.now, run: "", heardBy: [] };
    this.#bare.push(publication);
    return publication;
  }

  /** To be called before a broker loses anything: all that it has now was stored once. */
  mayBeLost(server: ModelServer): void {
    for (const { event } of server.inbox) this.#everStored.add(sequenceOf(event));
    for (const { payload } of server.deadLetters) this.#everStored.add(sequenceOf(payload));
    for (const channel of server.analyses)
      for (const { text } of server.logOf(channel)) this.#everStored.add(sequenceOf(text));
  }

  /** No event is stored twice. None that a node heard or acknowledged is missing, unless the broker lost it. */
  check(server: ModelServer): void {
    const stored = new Set<number>();
    const bare = new Set(this.#bare.map(({ sequence }) => sequence));
    for (const channel of server.analyses) {
      for (const { text } of server.logOf(channel)) {
        const sequence = sequenceOf(text);
        must(!stored.has(sequence) || bare.has(sequence), `one event is stored once (number ${sequence})`);
        stored.add(sequence);
      }
    }
    const refused = new Set(server.deadLetters.map(({ payload }) => sequenceOf(payload)));
    const excused = (sequence: number) => this.#everStored.has(sequence) || refused.has(sequence);
    for (const channel of new Set(this.#bare.map((one) => one.channel))) {
      const log = server.logOf(channel).map(({ text }) => sequenceOf(text));
      checkBare(this.#bare, { channel, log, excused });
    }
    must(server.inbox.length === 0, "the inbox is empty in the end");
    for (const { sequence, payload } of this.#entries) {
      if (this.#everStored.has(sequence) || server.deadLetters.some((letter) => letter.payload === payload))
        continue;
      must(stored.has(sequence), `an entry of the inbox is stored (number ${sequence})`);
    }
    for (const channel of server.analyses) this.#checkOrder(server, channel);
    for (const sequence of this.#answered)
      must(
        stored.has(sequence) || this.#everStored.has(sequence),
        `an acknowledged event is stored (${sequence})`,
      );
  }

  /** The entries of one worker are stored in their order, if every node could know that order. */
  #checkOrder(server: ModelServer, channel: AnalysisChannel): void {
    const place = new Map(
      server.logOf(channel).map(({ text, position }) => [sequenceOf(text), position.offset]),
    );
    // A message that a broker lost, or refused in another state of the analysis, may be published once more by a node
    // that has it.
    const refused = new Set(server.deadLetters.map(({ payload }) => sequenceOf(payload)));
    const isHere = ({ sequence, channel: its }: Entry) =>
      its === channel && place.has(sequence) && !this.#everStored.has(sequence) && !refused.has(sequence);
    const entries = this.#entries.filter(isHere);
    for (const [index, later] of entries.entries())
      checkAfter(place, entries[index - 1], later, "the inbox is taken in order");
  }
}

function checkAfter(
  place: ReadonlyMap<number, number>,
  earlier: Entry | undefined,
  later: Entry,
  promise: string,
): void {
  if (earlier === undefined) return;
  const isInOrder = (place.get(earlier.sequence) ?? 0) < (place.get(later.sequence) ?? 0);
  must(isInOrder, `${promise} (${earlier.sequence} before ${later.sequence})`);
}

function fieldsOf(kind: Kind, sequence: number): object {
  switch (kind) {
    case "result":
      return {
        event_type: "result_update",
        confidence_score: 0.9,
        frames_processed: sequence,
        total_frames: sequence,
        is_fake: true,
      };
    case "data":
      return { event_type: "result", data: { sequence } };
    case "error":
      return { event_type: "error", error_code: "E", error_message: `error ${sequence}` };
    default:
      return {
        event_type: "status_update",
        task_id: "task",
        progress: (sequence % 100) / 100,
        current_stage: kind,
        ...(sequence % 3 === 0 && { current: sequence, total: 2 * sequence, unit: "events" }),
        message: `status ${sequence}`,
      };
  }
}

function sequenceOf(text: string): number {
  return Number(/"sequence":(\d+)/.exec(text)?.[1]);
}

function sequencesOf(body: string): number[] {
  return [...body.matchAll(/"sequence":(\d+)/g)].map((match) => Number(match[1]));
}

function has(server: ModelServer, channel: AnalysisChannel, sequence: number): boolean {
  return server.logOf(channel).some(({ text }) => sequenceOf(text) === sequence);
}
