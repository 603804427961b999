import { expect, test } from "bun:test";
import { ChannelAppends } from "../../../../src/adapters/nats/channel-appends.ts";
import { readHistory } from "../../../../src/adapters/nats/channel-history.ts";
import { readSnapshot } from "../../../../src/adapters/nats/channel-snapshot.ts";
import { storeViewers } from "../../../../src/adapters/nats/channel-viewers.ts";
import { KnownHoles } from "../../../../src/adapters/nats/known-holes.ts";
import { subjectsOf } from "../../../../src/adapters/nats/subjects.ts";
import type { EventPosition } from "../../../../src/domain/event-position.ts";
import { encoded, status } from "../../../../src/testing/encoded-events.ts";
import { SimulatedNats, SimulatedStream } from "../../../model/nats-server.ts";

const TTL_MS = 60_000;
const SUBJECTS = subjectsOf("analysis:one");

/** A gateway and the stream of its channel. */
class Gateway {
  readonly nats = new SimulatedNats();
  readonly stream = new SimulatedStream(this.nats, 0, true);
  readonly found: unknown[] = [];
  readonly #holes = new KnownHoles({ log: (_level, _words, fields) => this.found.push(fields?.oldestKept) });
  #names = 0;

  /** Appends each as a message of its own. A new gateway does so: it remembers nothing of the channel. */
  async append(...events: ReturnType<typeof status>[]): Promise<void> {
    const appends = new ChannelAppends({
      stream: this.stream,
      history: { size: 100, ttlMs: TTL_MS },
      newName: () => `x${this.#names++}`,
      digest: (name) => name,
    });
    for (const event of events) {
      const append = { channel: "analysis:one", requests: [{ events: [event] }] };
      const { outcomes } = await appends.append({ ...append, deadline: this.nats.now + 2_000 });
      expect(outcomes).toMatchObject([{ type: "stored" }]);
    }
  }

  history(after?: EventPosition, limit = 100) {
    return readHistory(this.stream, SUBJECTS, { ttlMs: TTL_MS, holes: this.#holes }, after, limit);
  }

  snapshot() {
    const terms = { heardAt: async () => undefined, now: () => this.nats.now };
    return readSnapshot(this.stream, SUBJECTS, { ttlMs: TTL_MS, holes: this.#holes, ...terms });
  }

  /** Publishes a text that no gateway made. */
  forge(subject: string, text: string): void {
    const expected = this.nats.messages.findLast((message) => message.subject === subject)?.sequence ?? 0;
    this.nats.store({ subject, text, expected, deadline: this.nats.now + 1 });
  }
}

const offsetsOf = (events: readonly { readonly position: EventPosition }[]) =>
  events.map(({ position }) => position.offset);

const many = (count: number) => Array.from({ length: count }, () => status());

test("PS-20 history() begins after the last hole if the stream lost messages", async () => {
  const gateway = new Gateway();
  await gateway.append(...many(9));
  const { position } = await gateway.history();
  for (const lost of [3, 4, 6]) gateway.nats.lose(lost);
  const page = await gateway.history();
  expect(offsetsOf(page.events)).toEqual([7, 8, 9]);
  expect(page).toMatchObject({ resumed: true, more: false, kept: { oldestKept: 7, newest: 9 } });
  const resumed = async (offset: number) => (await gateway.history({ ...position, offset })).resumed;
  expect([await resumed(0), await resumed(2), await resumed(5)]).toEqual([false, false, false]);
  expect([await resumed(6), await resumed(8), await resumed(9)]).toEqual([true, true, true]);
  expect((await gateway.snapshot()).oldestKept).toBe(7);
  expect(gateway.found).toEqual([7]);
});

test("PS-19 history() goes on from page to page, and tells once that the position is gone", async () => {
  const gateway = new Gateway();
  await gateway.append(...many(9));
  gateway.nats.lose(6);
  const first = await gateway.history(undefined, 4);
  expect(offsetsOf(first.events)).toEqual([1, 2, 3, 4]);
  const second = await gateway.history(first.events.at(-1)?.position, 4);
  expect(second.resumed).toBe(false);
  expect(offsetsOf(second.events)).toEqual([7, 8, 9]);
  // Another reading from the beginning has none of the events before the hole.
  expect(offsetsOf((await gateway.history(undefined, 4)).events)).toEqual([7, 8, 9]);
});

test("PS-1 append() goes on where it was if the stream lost messages amidst the history", async () => {
  const gateway = new Gateway();
  await gateway.append(...many(5));
  gateway.nats.lose(3);
  await gateway.append(status());
  const page = await gateway.history();
  expect(offsetsOf(page.events)).toEqual([4, 5, 6]);
  expect(page.kept.spans).toHaveLength(1);
});

test("append() begins an epoch at the next offset if the stream lost what the channel is", async () => {
  const gateway = new Gateway();
  await gateway.append(...many(4));
  const { position } = await gateway.history();
  // The first message holds the course of the channel.
  gateway.nats.lose(1);
  await gateway.append(...many(2));
  const page = await gateway.history();
  expect(offsetsOf(page.events)).toEqual([2, 3, 4, 5, 6]);
  expect(page.events.map(({ position: { epoch } }) => epoch === position.epoch)).toEqual([
    ...[true, true, true, false, false],
  ]);
  expect((await gateway.history({ ...position, offset: 4 })).resumed).toBe(true);
  expect((await gateway.history({ ...position, offset: 5 })).resumed).toBe(false);
});

test("PS-17 snapshot() does without the event that the stream lost", async () => {
  const gateway = new Gateway();
  await gateway.append(status(), status(), encoded("error"));
  gateway.nats.lose(2);
  const snapshot = await gateway.snapshot();
  expect(snapshot).toMatchObject({ position: { offset: 3 }, lastStatus: undefined });
  expect(snapshot.currentTerminal?.position.offset).toBe(3);
});

test.each([
  ["plain text", "hello"],
  ["an event", '{"event_type":"status_update"}'],
  ["half a message", "1 x0 3 9999999999999 s12\n[1,"],
  ["no text", ""],
])("a forged message with %s changes nothing on its channel", async (_, text) => {
  const gateway = new Gateway();
  await gateway.append(...many(3));
  for (let n = 0; n < 3; n++) gateway.forge(SUBJECTS.events, text);
  expect((await gateway.snapshot()).position.offset).toBe(3);
  expect(offsetsOf((await gateway.history()).events)).toEqual([1, 2, 3]);
  await gateway.append(...many(2));
  const page = await gateway.history();
  expect(offsetsOf(page.events)).toEqual([1, 2, 3, 4, 5]);
  expect(page.kept.spans).toHaveLength(1);
  expect(gateway.found).toEqual([]);
});

test("a forged message on a channel without events leaves it without events", async () => {
  const gateway = new Gateway();
  gateway.forge(SUBJECTS.events, "hello");
  expect((await gateway.history()).events).toEqual([]);
  await gateway.append(...many(2));
  expect(offsetsOf((await gateway.history()).events)).toEqual([1, 2]);
});

test.each(["hello", "1 0\n7", '99999999999999 0\n"abc"', ""])(
  "PS-24 snapshot() has the viewers that were declared before the forged message %p",
  async (text) => {
    const gateway = new Gateway();
    await storeViewers(gateway.stream, SUBJECTS.viewers, new Set(["alice"]), gateway.nats.now + 2_000);
    gateway.forge(SUBJECTS.viewers, text);
    expect((await gateway.snapshot()).viewers).toEqual(new Set(["alice"]));
    await storeViewers(gateway.stream, SUBJECTS.viewers, new Set(["bob"]), gateway.nats.now + 2_000);
    expect((await gateway.snapshot()).viewers).toEqual(new Set(["bob"]));
  },
);
