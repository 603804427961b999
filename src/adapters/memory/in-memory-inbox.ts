import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { InboxBacklog, InboxEntry, InboxPort, Taken } from "../../application/ports/inbox-port.ts";
import { ASK_AGAIN_MS, ENTRY_KEY, INBOX_BATCH, SHOWN_BYTES } from "../../application/ports/inbox-port.ts";
import { fill } from "../../domain/byte-budget.ts";
import { MAX_EVENT_BYTES } from "../../domain/decode-event.ts";
import { exceedsBytes, firstBytes, lastBytes, utf8Length } from "../../domain/utf8.ts";
import { compareTimedIds, timeOfId } from "../system/timed-id.ts";
import type { InMemoryBroker } from "./in-memory-broker.ts";
import type { AddedEntry } from "./kept-inbox.ts";

interface InMemoryInboxOptions {
  readonly broker: InMemoryBroker;
  readonly clock: ClockPort;
  /** The node's name for the lease. Default: a name of its own. */
  readonly node?: string;
}

const ARRIVAL_MS = 1_000;

/** The inbox within one process: `add` stands for a worker's XADD. */
export class InMemoryInbox implements InboxPort {
  readonly takesWorkerChannels = false;
  readonly #broker: InMemoryBroker;
  readonly #clock: ClockPort;
  readonly #node: string;
  readonly #stops = new Set<() => void>();

  constructor({ broker, clock, node = crypto.randomUUID() }: InMemoryInboxOptions) {
    this.#broker = broker;
    this.#clock = clock;
    this.#node = node;
  }

  /** Answers the entry's id. */
  add(...fields: readonly [name: string, value: string][]): string {
    return this.#broker.inbox.add({ fields }, this.#clock.now());
  }

  /** Adds an event as a worker does that addresses a channel. Answers the entry's id. */
  addTo(channel: string, event: string): string {
    return this.#broker.inbox.add({ fields: [["event", event]], channel }, this.#clock.now());
  }

  async take(): Promise<Taken> {
    const left = this.#broker.inbox.lease(this.#node, this.#clock.now());
    if (left !== undefined) return { type: "elsewhere", againMs: Math.min(ASK_AGAIN_MS, left + 1) };
    const batch = fill(this.#broker.inbox.entries(), INBOX_BATCH, ([, { fields }]) =>
      utf8Length(fields.flat().join("")),
    );
    return { type: "batch", entries: batch.map(([id, entry]) => entryOf(id, entry, this.#clock.now())) };
  }

  arrival(): Promise<void> {
    const { inbox } = this.#broker;
    if (inbox.size > 0) return Promise.resolve();
    return new Promise((resolve) => {
      const arrived = () => {
        stopListening();
        cancel();
        this.#stops.delete(arrived);
        resolve();
      };
      const stopListening = inbox.onArrival(arrived);
      const cancel = this.#clock.after(ARRIVAL_MS, arrived);
      this.#stops.add(arrived);
    });
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#broker.inbox.remove(id);
  }

  async release(): Promise<void> {
    this.#broker.inbox.release(this.#node);
  }

  async backlog(): Promise<InboxBacklog> {
    const { inbox } = this.#broker;
    const [first] = inbox.entries();
    if (first === undefined) return { entries: 0, oldest: undefined };
    const [id] = first;
    const now = this.#clock.now();
    const addedAt = timeOfId(id, now);
    return { entries: inbox.size, oldest: { id, ageMs: addedAt && now - addedAt } };
  }

  compareIds(one: string, other: string): number {
    return compareTimedIds(one, other);
  }

  async close(): Promise<void> {
    for (const stop of [...this.#stops]) stop();
  }
}

function entryOf(id: string, { fields, channel }: AddedEntry, now: number): InboxEntry {
  const key = fields.findLast(([name]) => name === ENTRY_KEY)?.[1] ?? "";
  const named = { ...(channel !== undefined && { channel }), ...(key !== "" && { key }) };
  const taken = { id, addedAt: timeOfId(id, now), ...named };
  const [event, ...others] = fields.filter(([name]) => name === "event").map(([, value]) => value);
  if (event === undefined || others.length > 0) {
    return { ...taken, type: "unreadable", fault: "no_event", ...shown(fields.flat().join(" ")) };
  }
  if (exceedsBytes(event, MAX_EVENT_BYTES)) {
    return { ...taken, type: "unreadable", fault: "too_large", ...shown(event) };
  }
  return { ...taken, type: "event", event };
}

function shown(text: string): { readonly payload: string; readonly tail?: string } {
  const payload = firstBytes(text, SHOWN_BYTES);
  return payload === text ? { payload } : { payload, tail: lastBytes(text, SHOWN_BYTES) };
}
