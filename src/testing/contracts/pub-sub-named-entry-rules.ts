import { expect, test } from "bun:test";
import type { EntryKey, RequestKey } from "../../application/ports/deduplication-key.ts";
import { result, status } from "../encoded-events.ts";
import { someAnalysis } from "../some-analysis.ts";
import { duplicateOf } from "./pub-sub-deduplication-rules.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

/** `ids`: some ids of entries in the order of the broker's inbox, at least six of them. */
export function namedEntryRules({ node, broker }: PubSubRuleContext, ids: readonly string[]): void {
  const [early = "", before = "", middle = "", after = "", late = "", last = ""] = ids;

  test("PS-44 two entries of the same key are one event, one of another key is another", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const append = (deduplicate: EntryKey) => publisher.append({ channel, events: [status()], deduplicate });
    const first = await append(entry(early, "a"));
    expect(first).toMatchObject({ type: "stored", firstOffset: 1 });
    expect(await append(entry(before, "b"))).toMatchObject({ type: "stored", firstOffset: 2 });
    expect(await append(entry(middle, "a"))).toEqual(duplicateOf(first));
    expect(await append({ by: "entry", id: after })).toMatchObject({ type: "stored", firstOffset: 3 });
    expect((await publisher.snapshot(channel)).position.offset).toBe(3);
  });

  test("PS-44 two entries of the same key in one turn, as the first of a channel, are one event", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const outcomes = await Promise.all(
      [entry(early, "a"), entry(before, "a"), entry(middle, "b")].map((deduplicate) =>
        publisher.append({ channel, events: [status()], deduplicate }),
      ),
    );
    expect(outcomes).toMatchObject([
      { type: "stored", firstOffset: 1 },
      { type: "duplicate", firstOffset: 1 },
      { type: "stored", firstOffset: 2 },
    ]);
  });

  test("PS-44 an end that its attempt has already is a duplicate by its key, and not refused", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const append = (id: string) =>
      publisher.append({ channel, events: [result({ attemptId: "a" })], deduplicate: entry(id, "end") });
    const first = await append(early);
    expect(await append(before)).toEqual(duplicateOf(first));
  });

  test("PS-44 an entry that was a duplicate by its key stays one, whatever becomes of the key", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const append = (deduplicate: EntryKey) => publisher.append({ channel, events: [status()], deduplicate });
    const first = await append(entry(early, "a"));
    expect(await append(entry(middle, "a"))).toEqual(duplicateOf(first));
    expect(await append({ by: "entry", id: middle })).toEqual(duplicateOf(first));
    expect(await append(entry(before, "b"))).toEqual(duplicateOf(first));
    expect(await append(entry(late, "b"))).toMatchObject({ type: "stored", firstOffset: 2 });
  });

  test("PS-44 a refused entry leaves its key, and a request by key finds the entry", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({ channel, events: [result({ attemptId: "a" })] });
    const append = (attemptId: string, id: string) =>
      publisher.append({ channel, events: [result({ attemptId })], deduplicate: entry(id, "k") });
    expect(await append("a", early)).toMatchObject({ type: "refused" });
    const stored = await append("b", before);
    expect(stored).toMatchObject({ type: "stored", firstOffset: 2 });
    const { named: deduplicate } = entry(last, "k");
    expect(await publisher.append({ channel, events: [status()], deduplicate })).toEqual(duplicateOf(stored));
  });

  test("PS-44 each channel has keys of its own, which go with its counter", async () => {
    const publisher = await node();
    const [channel, other] = [someAnalysis(), someAnalysis()];
    const append = (to: typeof channel, id: string) =>
      publisher.append({ channel: to, events: [status()], deduplicate: entry(id, "a") });
    await append(channel, early);
    expect(await append(other, before)).toMatchObject({ type: "stored", firstOffset: 1 });
    await broker().loseEverything();
    expect(await append(channel, middle)).toMatchObject({ type: "stored", firstOffset: 1 });
  });
}

function entry(id: string, name: string, milliseconds = 9_000): EntryKey & { readonly named: RequestKey } {
  const named = {
    by: "key",
    name,
    scope: "channel",
    windowMs: milliseconds,
    rememberMs: milliseconds,
  } as const;
  return { by: "entry", id, named };
}
