import { expect, test } from "bun:test";
import { ChannelAppends } from "../../../../src/adapters/nats/channel-appends.ts";
import { readHistory } from "../../../../src/adapters/nats/channel-history.ts";
import type { EventStream, RangeTerms, StoredMessage } from "../../../../src/adapters/nats/event-stream.ts";
import { KnownHoles } from "../../../../src/adapters/nats/known-holes.ts";
import { subjectsOf } from "../../../../src/adapters/nats/subjects.ts";
import type { EventPosition } from "../../../../src/domain/event-position.ts";
import { status } from "../../../../src/testing/encoded-events.ts";
import { SimulatedNats, SimulatedStream } from "../../../model/nats-server.ts";

const CHANNEL = "analysis:one";
const TTL_MS = 60_000;
const TERMS = {
  ttlMs: TTL_MS,
  holes: new KnownHoles({
    log: (_, words) => {
      throw new Error(`no message was lost, and a gateway says: ${words}`);
    },
  }),
};

/** Appends on a stream of its own, each as a message. */
async function appended(nats: SimulatedNats, messages: readonly string[]): Promise<void> {
  let names = 0;
  const appends = new ChannelAppends({
    stream: new SimulatedStream(nats, 0, true),
    history: { size: 100, ttlMs: TTL_MS },
    newName: () => `x${names++}`,
    digest: (name) => name,
  });
  for (const message of messages) {
    const requests = [{ events: [status({ note: message })] }];
    await appends.append({ channel: CHANNEL, requests, deadline: nats.now + 2_000 });
  }
}

/** A stream that only answers reads. */
class Messages implements EventStream {
  readonly lineage = "process1";
  readonly #all: readonly StoredMessage[];
  readonly #elsewhere: readonly StoredMessage[];

  /** `elsewhere` is what a server has that does not lead. */
  constructor(all: readonly StoredMessage[], elsewhere = all) {
    this.#all = all;
    this.#elsewhere = elsewhere;
  }

  async refreshLineage(): Promise<void> {}

  now(): number {
    return this.#all.at(-1)?.at ?? 0;
  }

  async last(subject: string): Promise<StoredMessage | undefined> {
    return this.#all.findLast((message) => message.subject === subject);
  }

  async at(sequence: number): Promise<StoredMessage | undefined> {
    return this.#all.find((message) => message.sequence === sequence);
  }

  async from(subject: string, sequence: number): Promise<StoredMessage | undefined> {
    return this.#all.find((message) => message.subject === subject && message.sequence >= sequence);
  }

  async range(
    subject: string,
    { from, fromLeader = false }: RangeTerms,
    take: (message: StoredMessage) => boolean,
  ): Promise<void> {
    const kept = fromLeader ? this.#all : this.#elsewhere;
    const found = kept.filter((message) => message.subject === subject && message.sequence >= from);
    for (const message of found) if (!take(message)) return;
  }

  publish(): never {
    throw new Error("this stream only answers reads");
  }

  removeBefore(): never {
    throw new Error("this stream only answers reads");
  }
}

/** A channel of which the server forgot the third message, and went on after the second. */
async function forked(): Promise<EventStream> {
  const [before, after] = [new SimulatedNats(), new SimulatedNats()];
  await appended(before, ["one", "two", "forgotten"]);
  await appended(after, ["one", "two", "three", "four"]);
  const [, , forgotten] = before.messages;
  const surviving = after.messages.map((message) => {
    if (message.sequence < 3) return message;
    // The fourth one follows the third, which lies one further by now.
    const text = message.text.replace("\n[3,", "\n[4,");
    return { ...message, sequence: message.sequence + 1, text };
  });
  const messages = [...surviving, forgotten as StoredMessage].sort((a, b) => a.sequence - b.sequence);
  return new Messages(messages);
}

const wordsIn = (events: readonly { readonly text: string }[]) =>
  events.map(({ text }) => (JSON.parse(text) as { note: string }).note);

test("PS-4 history() leaves out messages that the server forgot when it went on after an earlier one", async () => {
  const stream = await forked();
  const page = await readHistory(stream, subjectsOf(CHANNEL), TERMS, undefined, 100);
  expect(wordsIn(page.events)).toEqual(["one", "two", "three", "four"]);
  expect(page.events.map(({ position }) => position.offset)).toEqual([1, 2, 3, 4]);
});

test.each([0, 1, 2])(
  "PS-19 history() has the events of message %d, which one server lacks",
  async (lacked) => {
    const nats = new SimulatedNats();
    await appended(nats, ["one", "two", "three"]);
    const elsewhere = nats.messages.filter((_, index) => index !== lacked);
    const stream = new Messages(nats.messages, elsewhere);
    const read = (after?: EventPosition) => readHistory(stream, subjectsOf(CHANNEL), TERMS, after, 100);
    const first = await read();
    const rest = first.more ? await read(first.events.at(-1)?.position) : undefined;
    expect(wordsIn([...first.events, ...(rest?.events ?? [])])).toEqual(["one", "two", "three"]);
  },
);

test.each([1, 2, 3])("PS-4 history() leaves them out at the end of a page of %d events", async (limit) => {
  const stream = await forked();
  const { position } = await readHistory(stream, subjectsOf(CHANNEL), TERMS, undefined, 100);
  const words: string[] = [];
  for (let offset = 0; offset < 4; ) {
    const after = { epoch: position.epoch, offset };
    const page = await readHistory(stream, subjectsOf(CHANNEL), TERMS, after, limit);
    expect(page.events.length).toBeLessThanOrEqual(limit);
    expect(page.more).toBe(offset + page.events.length < 4);
    words.push(...wordsIn(page.events));
    offset += page.events.length;
  }
  expect(words).toEqual(["one", "two", "three", "four"]);
});
