import { describe, expect, test } from "bun:test";
import type { InboxEntry, InboxPort, Taken } from "../../application/ports/inbox-port.ts";
import { brokerOfEachTest } from "./broker-of-each-test.ts";
import type { Fields, InboxCapabilities, InboxUnderTest } from "./inbox-under-test.ts";

/**
 * The contract suite of `InboxPort`: the rules IB-1 to IB-10 and BUD-9 of docs/PROTOCOL.md. Every test begins with the ID of
 * its rule. Call it at the top of a test file.
 */
export function inboxContract(
  name: string,
  open: () => Promise<InboxUnderTest>,
  { fields: haveFields = true, keys = false, channels = false }: InboxCapabilities = {},
): void {
  describe(`InboxPort on ${name}`, () => {
    const { broker, closing } = brokerOfEachTest(open);

    const make = async () => closing(await broker().node());
    const add = (event: string) => broker().add([["event", event]]);
    const withFields = test.skipIf(!haveFields);

    test("IB-1 take() gives the oldest entries first, with their ids, and they stay until they are removed", async () => {
      const inbox = await make();
      expect(await batchOf(inbox)).toEqual([]);
      const ids = [await add("one"), await add("two"), await add("ü")];
      const expected = ["one", "two", "ü"].map((event, index) => ({ type: "event", id: ids[index], event }));
      const taken = await batchOf(inbox);
      expect<unknown>(taken).toMatchObject(expected);
      expect(await batchOf(inbox)).toEqual([...taken]);
    });

    withFields("IB-1 take() ignores the other fields of an entry", async () => {
      const inbox = await make();
      const id = await broker().add([
        ["trace", "x"],
        ["event", "{}"],
        ["event_type", "y"],
      ]);
      expect(await batchOf(inbox)).toMatchObject([{ type: "event", id, event: "{}" }]);
    });

    test.skipIf(!keys)("IB-10 an entry has the key that its worker gave, whatever bytes it has", async () => {
      const inbox = await make();
      const given = ["run-1:7", "", "x".repeat(5_000), "ü", "û"];
      for (const key of given)
        await broker().add([
          ["event", "{}"],
          ["idempotency_key", key],
        ]);
      await add("{}");
      await broker().add([["idempotency_key", "no event"]]);
      const taken = (await batchOf(inbox)).map(({ key }) => key);
      expect(taken.slice(0, 3)).toEqual(["run-1:7", undefined, "x".repeat(5_000)]);
      expect(taken[3]).not.toBe(taken[4]);
      expect(taken.slice(5)).toEqual([undefined, "no event"]);
    });

    test("IB-8 compareIds() orders ids as the entries were added, and no two are the same", async () => {
      const inbox = await make();
      const ids: string[] = [];
      for (let n = 0; n < 12; n++) ids.push(await add(`${n}`));
      expect(new Set(ids).size).toBe(ids.length);
      expect([...ids].reverse().sort((one, other) => inbox.compareIds(one, other))).toEqual(ids);
      expect(inbox.compareIds(ids[3]!, ids[3]!)).toBe(0);
      expect(inbox.compareIds(ids[9]!, ids[10]!)).toBeLessThan(0);
      expect(inbox.compareIds(ids[10]!, ids[9]!)).toBeGreaterThan(0);
    });

    test("IB-2 remove() removes an entry for every node, and may be called again", async () => {
      const [one, two] = [await make(), await make()];
      const [first, second] = [await add("one"), await add("two")];
      await one.remove([first]);
      await two.remove([first]);
      await two.remove([]);
      expect((await batchOf(two)).map(({ id }) => id)).toEqual([second]);
    });

    test("IB-3 arrival() resolves at once if an entry waits, and as soon as one comes", async () => {
      const inbox = await make();
      const arrival = inbox.arrival();
      await batchOf(inbox);
      const id = await add("one");
      await arrival;
      await inbox.arrival();
      expect((await batchOf(inbox)).map((entry) => entry.id)).toEqual([id]);
    });

    test("IB-3 arrival() resolves though nothing comes", async () => {
      const arrival = (await make()).arrival();
      await broker().elapse(1_500);
      await arrival;
    });

    test.each<[string, Fields, string]>([
      ["over 1 MiB", [["event", `{"a":"${"x".repeat(1024 * 1024)}"}`]], "too_large"],
      ...(haveFields ? WITHOUT_ONE_EVENT : []),
    ])("IB-4 an entry %s is unreadable, and shows what it begins with", async (_, fields, fault) => {
      const inbox = await make();
      const id = await broker().add(fields);
      const [entry] = await batchOf(inbox);
      expect(entry).toMatchObject({ type: "unreadable", id, fault });
      const { payload } = entry as InboxEntry & { type: "unreadable" };
      expect(payload.length).toBeWithin(1, 64 * 1024 + 1);
      expect(fields.flat().join(" ")).toContain(payload);
    });

    test.each<[string, Fields, string]>([
      ["that is too large", [["event", `{"a":"${"x".repeat(1_100_000)}","b":1}`]], '","b":1}'],
      ["of wide characters", [["event", `{"a":"${"ü🎬".repeat(200_000)}"}`]], 'ü🎬"}'],
      ...(haveFields ? WITH_OTHER_FIELDS : []),
    ])("IB-4 an unreadable entry %s shows how it ends as well", async (_, fields, end) => {
      const inbox = await make();
      await broker().add(fields);
      const [entry] = await batchOf(inbox);
      const { tail = "" } = entry as InboxEntry & { type: "unreadable" };
      expect(tail).toEndWith(end);
      // Half a character at the start may have become U+FFFD.
      expect(fields.flat().join(" ")).toEndWith(tail.replace(/^\ufffd+/, ""));
      expect(Buffer.byteLength(tail)).toBeWithin(64 * 1024 - 4, 64 * 1024 + 10);
    });

    withFields("IB-4 an unreadable entry that is shown whole has no tail", async () => {
      const inbox = await make();
      await broker().add([["data", "x".repeat(64 * 1024 - 5)]]);
      const [entry] = await batchOf(inbox);
      expect(entry).not.toHaveProperty("tail");
      expect((entry as InboxEntry & { type: "unreadable" }).payload).toHaveLength(64 * 1024);
    });

    test("IB-4 an event of the largest size is readable", async () => {
      const inbox = await make();
      await add("x".repeat(1024 * 1024));
      expect(await batchOf(inbox)).toMatchObject([{ type: "event" }]);
    });

    test("IB-5 take() gives a batch of many entries, a smaller one of large entries, and always one entry", async () => {
      const inbox = await make();
      const ids: string[] = [];
      for (let n = 0; n < 600; n++) ids.push(await add(`${n}`));
      const batch = (await batchOf(inbox)).map(({ id }) => id);
      expect(batch.length).toBeWithin(100, 600);
      expect(batch).toEqual(ids.slice(0, batch.length));
      await inbox.remove(ids);
      for (let n = 0; n < 6; n++) await add("x".repeat(1_000_000));
      expect((await batchOf(inbox)).length).toBeWithin(1, 6);
    });

    test("BUD-9 a batch holds at most 4 MiB, whatever workers add, and shows 64 KiB of each end of an unreadable entry", async () => {
      const inbox = await make();
      const sizes = [
        ...Array(3).fill(3_000_000),
        ...Array(9).fill(1_040_000),
        ...Array(40).fill(10),
        3_000_000,
      ];
      const ids: string[] = [];
      for (const [n, size] of sizes.entries())
        ids.push(await broker().add([[haveFields && n % 2 === 1 ? "data" : "event", "ü".repeat(size / 2)]]));
      const taken: string[] = [];
      while (taken.length < ids.length) {
        const batch = await batchOf(inbox);
        const read = batch.map(({ id }) => sizes[ids.indexOf(id)] ?? 0).reduce((sum, size) => sum + size, 0);
        expect(batch.length === 1 || read <= 4 * 1024 * 1024).toBe(true);
        for (const entry of batch.filter((one) => one.type === "unreadable"))
          for (const shown of [entry.payload, entry.type === "unreadable" ? (entry.tail ?? "") : ""])
            expect(Buffer.byteLength(shown)).toBeLessThanOrEqual(64 * 1024 + 2);
        taken.push(...batch.map(({ id }) => id));
        await inbox.remove(batch.map(({ id }) => id));
      }
      expect(taken).toEqual(ids);
    });

    test("IB-6 while one node takes the others wait, until it releases or says nothing for three seconds", async () => {
      const [one, two] = [await make(), await make()];
      await add("one");
      expect((await one.take()).type).toBe("batch");
      const waiting = await two.take();
      expect(waiting.type).toBe("elsewhere");
      expect((waiting as Taken & { type: "elsewhere" }).againMs).toBeWithin(1, 1_001);
      await two.release();
      expect((await two.take()).type).toBe("elsewhere");
      expect((await one.take()).type).toBe("batch");
      await one.release();
      expect((await two.take()).type).toBe("batch");
      expect((await one.take()).type).toBe("elsewhere");
      await broker().elapse(3_050);
      expect((await one.take()).type).toBe("batch");
    });

    test("IB-7 backlog() says how many wait and for how long", async () => {
      const inbox = await make();
      expect(await inbox.backlog()).toEqual({ entries: 0, oldest: undefined });
      const id = await add("one");
      await add("two");
      await broker().elapse(200);
      const { entries, oldest } = await inbox.backlog();
      expect([entries, oldest?.id]).toEqual([2, id]);
      expect(oldest?.ageMs).toBeWithin(190, 5_000);
    });

    test.skipIf(!channels)(
      "IB-9 an entry says which channel the worker addressed, as it was named",
      async () => {
        const inbox = await make();
        const names = ["analysis:x", "user:alice@example.com", "user:a.b.c", "system:updates"];
        for (const channel of names) await broker().addTo?.(channel, channel);
        await add("no channel");
        await broker().addTo?.("user:bob", "x".repeat(1_100_000));
        const batch = await batchOf(inbox);
        expect(batch.map(({ channel }) => channel)).toEqual([...names, undefined, "user:bob"]);
        expect<unknown>(batch.slice(0, 4)).toMatchObject(names.map((event) => ({ type: "event", event })));
        expect(batch.map(({ id }) => id)).toEqual(
          batch.map(({ id }) => id).sort((one, other) => inbox.compareIds(one, other)),
        );
      },
    );
  });
}

/** Entries that have not one field `event`, and their fault. */
const WITHOUT_ONE_EVENT: [string, Fields, string][] = [
  ["without a field event", [["data", "{}"]], "no_event"],
  [
    "with two fields event",
    [
      ["event", "{}"],
      ["event", "[]"],
    ],
    "no_event",
  ],
];

/** Entries that are shown by all their fields, and how that ends. */
const WITH_OTHER_FIELDS: [string, Fields, string][] = [
  [
    "without a field event",
    [
      ["data", `{"a":"${"x".repeat(70_000)}"}`],
      ["trace", "z"],
    ],
    'x"} trace z',
  ],
  ["of many fields", Array.from({ length: 20_000 }, (_, n) => ["f", `${n}`] as const), "f 19998 f 19999"],
];

async function batchOf(inbox: InboxPort): Promise<readonly InboxEntry[]> {
  const taken = await inbox.take();
  if (taken.type !== "batch") throw new Error("somebody else takes");
  return taken.entries;
}
