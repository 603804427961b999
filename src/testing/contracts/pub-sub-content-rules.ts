import { expect, test } from "bun:test";
import type { OccurrenceKey } from "../../application/ports/deduplication-key.ts";
import type { PubSubPort } from "../../application/ports/pub-sub-port.ts";
import type { EncodedEvent } from "../../domain/analysis-event.ts";
import type { AnalysisChannel } from "../../domain/channel.ts";
import type { Occurrence } from "../../domain/occurrence.ts";
import { result, status } from "../encoded-events.ts";
import { occurrenceKey } from "../occurrence-key.ts";
import { someAnalysis } from "../some-analysis.ts";
import { inTime } from "./in-time.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

const P = "server.1.p";
const Q = "server.2.q";

export function contentRules({ node, broker }: PubSubRuleContext): void {
  /** Appends a bare message. Resolves with `stored` or `duplicate` and an offset, or with the code of the refusal. */
  const ingest = async (
    on: PubSubPort,
    channel: AnalysisChannel,
    [name, stretch, number]: readonly [name: string, stretch: string, number: number],
    { occurrence = {}, rest = {}, event = status() }: Offered = {},
  ): Promise<string> => {
    const deduplicate = occurrenceKey(name, { stretch, number, ...occurrence }, rest);
    const outcome = await on.append({ channel, events: [event], deduplicate });
    return outcome.type === "refused" ? outcome.code : `${outcome.type} ${outcome.firstOffset}`;
  };

  test("PS-33 an occurrence is stored once, whichever node appends it, and the next one is another", async () => {
    const [one, two] = [await node(), await node()];
    const channel = someAnalysis();
    const all = [
      ["error", P, 1],
      ["initializing", P, 1],
      ["error", P, 2],
      ["error", Q, 1],
    ] as const;
    for (const [index, each] of all.entries())
      expect(await ingest(one, channel, each)).toBe(`stored ${index + 1}`);
    for (const each of all) expect(await ingest(two, channel, each)).toStartWith("duplicate");
    expect((await one.snapshot(channel)).position.offset).toBe(4);
  });

  test("PS-33 occurrences that several nodes append in one turn each are stored once and in order", async () => {
    const nodes = [await node(), await node(), await node()];
    const channel = someAnalysis();
    await Promise.all(
      nodes.flatMap((one) =>
        Array.from({ length: 60 }, (_, n) =>
          ingest(one, channel, [`${n % 3}`, P, 1 + Math.floor(n / 3)], {
            event: status({ note: `${n}` }),
          }),
        ),
      ),
    );
    const { events } = await nodes[0]!.history(channel, undefined, 1_000);
    expect(events.map(({ text }) => JSON.parse(text).note)).toEqual(
      Array.from({ length: 60 }, (_, n) => `${n}`),
    );
  });

  test("PS-34 directly after the same it is a retry, within its window, unless something else was stored since", () =>
    inTime(390, async () => {
      const publisher = await node();
      const channel = someAnalysis();
      const again = { occurrence: { before: "same" }, rest: { retryMs: 400 } } as const;
      expect(await ingest(publisher, channel, ["a", P, 1])).toBe("stored 1");
      expect(await ingest(publisher, channel, ["a", P, 2], again)).toBe("duplicate 1");
      await broker().elapse(500);
      expect(await ingest(publisher, channel, ["a", P, 3], again)).toBe("stored 2");
      await publisher.append({ channel, events: [status()] });
      expect(await ingest(publisher, channel, ["a", P, 4], again)).toBe("stored 4");
      expect(await ingest(publisher, channel, ["a", P, 4], again)).toBe("duplicate 4");
    }));

  test("PS-34 a bare message stored since then was published after the retry", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await ingest(publisher, channel, ["a", P, 1]);
    await ingest(publisher, channel, ["b", P, 1]);
    expect(await ingest(publisher, channel, ["a", P, 2], { occurrence: { before: "same" } })).toBe(
      "duplicate 1",
    );
    await publisher.append({ channel, events: [status()] });
    await ingest(publisher, channel, ["b", P, 2]);
    expect(await ingest(publisher, channel, ["a", P, 3], { occurrence: { before: "same" } })).toBe(
      "stored 5",
    );
  });

  test("PS-34 a node that does not know what came before takes the newest for a retry, and one that knows overrules it", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const unknown = { occurrence: { before: "unknown" } } as const;
    await ingest(publisher, channel, ["a", P, 1]);
    expect(await ingest(publisher, channel, ["a", Q, 1], unknown)).toBe("duplicate 1");
    await ingest(publisher, channel, ["b", P, 1]);
    expect(await ingest(publisher, channel, ["a", Q, 1])).toBe("stored 3");
    expect(await ingest(publisher, channel, ["a", Q, 1], unknown)).toBe("duplicate 3");
  });

  test("PS-35 one that was refused is refused again, when the analysis has moved on as well", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const late = { event: status({ attemptId: "a" }) };
    await publisher.append({ channel, events: [result({ attemptId: "a" })] });
    expect(await ingest(publisher, channel, ["x", P, 1], late)).toBe("attempt_ended");
    const movedOn = { event: status({ attemptId: "b" }) };
    expect(await ingest(publisher, channel, ["x", P, 1], movedOn)).toBe("attempt_ended");
    expect(await ingest(publisher, channel, ["x", P, 2], movedOn)).toBe("stored 2");
  });

  test("PS-36 by a name of one's own it is one of those that others stored, as often as they did", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    const own = { occurrence: { listener: "new" } };
    await ingest(publisher, channel, ["a", P, 1]);
    await ingest(publisher, channel, ["b", P, 1]);
    await ingest(publisher, channel, ["a", P, 2]);
    expect(await ingest(publisher, channel, ["a", "~new.1", 1], own)).toStartWith("duplicate");
    expect(await ingest(publisher, channel, ["a", "~new.1", 2], own)).toStartWith("duplicate");
    expect(await ingest(publisher, channel, ["a", "~new.1", 3], own)).toBe("stored 4");
  });

  test("PS-36 stored by such a name it is the same by the name of all, once, if it may have been published then", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await ingest(publisher, channel, ["a", "~new.1", 1], {
      occurrence: { listener: "new" },
      rest: { ageMs: 3_000 },
    });
    await ingest(publisher, channel, ["b", P, 1]);
    expect(await ingest(publisher, channel, ["a", Q, 1], { rest: { reachMs: 2_000 } })).toBe("stored 3");
    await ingest(publisher, channel, ["b", P, 2]);
    expect(await ingest(publisher, channel, ["a", P, 1], { rest: { reachMs: 9_000 } })).toBe("duplicate 3");
    expect(await ingest(publisher, channel, ["a", P, 2], { rest: { reachMs: 9_000 } })).toBe("stored 5");
  });

  test("PS-33 an occurrence is forgotten with the counter of its channel, and after its time", async () => {
    const publisher = await node();
    const [channel, other] = [someAnalysis(), someAnalysis()];
    const short = { rest: { rememberMs: 300 } };
    await ingest(publisher, channel, ["a", P, 1], short);
    expect(await ingest(publisher, other, ["a", P, 1])).toBe("stored 1");
    await ingest(publisher, channel, ["b", P, 1]);
    await broker().elapse(400);
    expect(await ingest(publisher, channel, ["a", P, 1], short)).toBe("stored 3");
    await broker().loseEverything();
    expect(await ingest(publisher, channel, ["a", P, 1])).toBe("stored 1");
  });
}

interface Offered {
  readonly occurrence?: Partial<Occurrence>;
  readonly rest?: Partial<OccurrenceKey>;
  readonly event?: EncodedEvent;
}
