import { describe, expect, test } from "bun:test";
import { type AppendCall, AppendQueue } from "../../../../src/adapters/broker/append-queue.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../../../src/application/errors.ts";
import type { AppendOutcome, AppendRequest } from "../../../../src/application/ports/pub-sub-port.ts";
import { status } from "../../../../src/testing/encoded-events.ts";
import { occurrenceKey } from "../../../../src/testing/occurrence-key.ts";
import { someAnalysis } from "../../../../src/testing/some-analysis.ts";
import { turn } from "../../../support/turn.ts";

describe("AppendQueue", () => {
  const channel = someAnalysis();

  interface Sent {
    readonly call: AppendCall;
    answer(): void;
    fail(error: Error): void;
  }

  function make() {
    const sent: Sent[] = [];
    const settled: string[] = [];
    let now = 0;
    const queue = new AppendQueue({
      now: () => now,
      carryOut: (call) =>
        new Promise((resolve, reject) =>
          sent.push({ call, answer: () => resolve(call.requests.map(stored)), fail: reject }),
        ),
    });
    const append = (note: string, request: Partial<AppendRequest> = {}) => {
      queue.append({ channel, events: [status({ note })], ...request }).then(
        () => settled.push(`${note} stored`),
        (error: unknown) =>
          settled.push(`${note} ${error instanceof OutcomeUnknown ? "unknown" : String(error)}`),
      );
    };
    return { sent, settled, append, pass: (milliseconds: number) => (now += milliseconds) };
  }

  const notesOf = ({ call }: Sent) =>
    call.requests.flatMap(({ events }) => events.map(({ members }) => JSON.parse(`{${members}`).note));

  test("PS-29: the queue sends appends of one turn in one call, and those that come meanwhile in the next", async () => {
    const { sent, settled, append, pass } = make();
    append("a");
    append("b");
    await turn();
    pass(5);
    append("c");
    append("d");
    await turn();
    expect(sent.map(notesOf)).toEqual([["a", "b"]]);
    sent[0]?.answer();
    await turn();
    expect(settled).toEqual(["a stored", "b stored"]);
    expect(sent.map(notesOf)).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
    expect(sent.map(({ call }) => call.calledAt)).toEqual([0, 5]);
    sent[1]?.answer();
    await turn();
    append("e");
    await turn();
    expect(sent.map(notesOf)[2]).toEqual(["e"]);
  });

  test("PS-29: the queue sends no append that waits behind a failed call, and its outcome is known even if that of the call is not", async () => {
    const { sent, settled, append } = make();
    append("a");
    await turn();
    append("b");
    sent[0]?.fail(new OutcomeUnknown("no answer"));
    await turn();
    expect(settled).toEqual(["a unknown", expect.stringContaining("b BrokerUnavailable: not sent")]);
    append("c");
    await turn();
    append("d");
    sent[1]?.fail(new BrokerUnavailable("full"));
    await turn();
    expect(settled.slice(2)).toEqual(["c BrokerUnavailable: full", "d BrokerUnavailable: full"]);
    expect(sent).toHaveLength(2);
    append("e");
    await turn();
    expect(sent.map(notesOf)).toEqual([["a"], ["c"], ["e"]]);
  });

  test("PS-29: an append that does not fit into one call waits for its answer", async () => {
    const { sent, append } = make();
    for (let n = 0; n < 3; n++) append(`${n}`, { events: Array.from({ length: 240 }, () => status()) });
    await turn();
    expect(sent.map(({ call }) => call.requests.length)).toEqual([2]);
    sent[0]?.answer();
    await turn();
    expect(sent.map(({ call }) => call.requests.length)).toEqual([2, 1]);
    const long = status({ note: "x".repeat(3_000_000) });
    append("long", { events: [long] });
    append("longer", { events: [long, long] });
    sent[1]?.answer();
    for (let round = 2; round < 4; round++) {
      await turn();
      expect(sent).toHaveLength(round + 1);
      sent[round]?.answer();
    }
  });

  test("BUD-10: if 64 MiB wait, the queue refuses publishers until a call has ended, and never workers", async () => {
    const { sent, settled, append } = make();
    const large = (of: string, deduplicate?: AppendRequest["deduplicate"]) => ({
      channel: someAnalysis(),
      events: Array(8).fill(status({ note: of.padEnd(1024 * 1024, "x") })),
      ...(deduplicate && { deduplicate }),
    });
    for (let n = 0; n < 7; n++) append(`${n}`, large(`${n}`));
    append("too much", large("too much"));
    // Small as it is, it is not stored either: it was called after a failure that nobody knows of yet.
    append("small");
    append("of a worker", large("of a worker", { by: "entry", id: "1-1" }));
    await turn();
    expect(settled.map((line) => line.split(":")[0])).toEqual([
      "too much BrokerUnavailable",
      "small BrokerUnavailable",
    ]);
    expect(sent).toHaveLength(8);
    sent[0]?.answer();
    await turn();
    append("small again");
    await turn();
    expect(sent).toHaveLength(9);
    for (const one of sent) one.fail(new BrokerUnavailable("away"));
    await turn();
    for (let n = 0; n < 7; n++) append(`after ${n}`, large(`after ${n}`));
    await turn();
    expect(sent).toHaveLength(16);
  });

  test("PS-29: one channel does not wait for another", async () => {
    const { sent, append } = make();
    append("here");
    append("there", { channel: someAnalysis() });
    await turn();
    expect(sent.map(notesOf)).toEqual([["here"], ["there"]]);
  });

  test("PS-32: the queue sends appends that nobody is answered for apart from acknowledged ones", async () => {
    const { sent, append } = make();
    append("a");
    append("b", { deduplicate: { by: "key", name: "n", scope: "channel", windowMs: 1, rememberMs: 1 } });
    append("c", { deduplicate: occurrenceKey("n") });
    append("d", { deduplicate: { by: "entry", id: "1-0" } });
    append("e");
    for (let round = 0; round < 3; round++) {
      await turn();
      sent[round]?.answer();
    }
    expect(sent.map((each) => [each.call.acknowledged, ...notesOf(each)])).toEqual([
      [true, "a", "b"],
      [false, "c", "d"],
      [true, "e"],
    ]);
  });
});

function stored(): AppendOutcome {
  return { type: "stored", epoch: "epoch", firstOffset: 1, count: 1 };
}
