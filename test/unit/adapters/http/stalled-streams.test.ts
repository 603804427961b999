import { describe, expect, spyOn, test } from "bun:test";
import { status } from "../../../../src/testing/encoded-events.ts";
import { turn } from "../../../support/turn.ts";
import { appBench } from "./app-bench.ts";

const STREAM = { headers: { Accept: "text/event-stream" } };

describe("a stream whose client does not read", () => {
  const opened = () => {
    const bench = appBench();
    const { ask, eventsPath, elsewhere, channel } = bench;
    const open = async () => (await ask(eventsPath, STREAM)).body as ReadableStream<Uint8Array>;
    const publish = async (events = 1, note = "") => {
      const all = Array.from({ length: events }, () => status({ note }));
      await elsewhere.append({ channel, events: all });
      await turn();
    };
    return { ...bench, open, publish };
  };
  /** Reads everything as it comes. */
  const reading = (stream: ReadableStream<Uint8Array>) => {
    const got = { text: "", ended: false };
    const decoder = new TextDecoder();
    void (async () => {
      for await (const bytes of stream) got.text += decoder.decode(bytes, { stream: true });
      got.ended = true;
    })();
    return got;
  };

  test("ADM-9: ends after the heartbeat timeout on a quiet channel and is no longer counted", async () => {
    const { open, pass, registry } = opened();
    await open();
    await pass(29_000);
    expect(registry.statistics().total_connections).toBe(1);
    await pass(31_000);
    expect(registry.statistics()).toEqual({ total_connections: 0, active_analyses: 0, users: 0 });
  });

  test("ADM-9: ends after the heartbeat timeout on a busy channel, while a client that reads goes on", async () => {
    const { open, pass, publish, registry } = opened();
    const [, healthy] = [await open(), reading(await open())];
    for (let second = 0; second < 60; second++) {
      await publish(1, "x".repeat(4_000));
      await pass(1_000);
    }
    expect(registry.statistics().total_connections).toBe(1);
    expect([healthy.ended, healthy.text.match(/event: status_update/g)?.length]).toEqual([false, 60]);
  });

  test("ADM-9: ends if its client read for a while and stopped", async () => {
    const { open, pass, registry } = opened();
    const reader = (await open()).getReader();
    await reader.read();
    for (let comment = 0; comment < 8; comment++) {
      await pass(15_000);
      await reader.read();
    }
    expect(registry.statistics().total_connections).toBe(1);
    await pass(60_000);
    expect(registry.statistics().total_connections).toBe(0);
  });

  test("ADM-9: goes on as long as its client reads, however quiet the channel is", async () => {
    const { open, pass, registry } = opened();
    const healthy = reading(await open());
    await pass(600_000);
    expect(registry.statistics().total_connections).toBe(1);
    expect([healthy.ended, healthy.text.match(/^: /gm)?.length]).toEqual([false, 40]);
  });

  test("ADM-9: goes on if its client takes a piece now and then", async () => {
    const { open, pass, publish, registry } = opened();
    const reader = (await open()).getReader();
    for (let event = 0; event < 3; event++) await publish(1, "x".repeat(900_000));
    for (let piece = 0; piece < 20; piece++) {
      await pass(10_000);
      await reader.read();
    }
    expect(registry.statistics().total_connections).toBe(1);
  });

  test("ADM-10: two hundred streams encode ten events ten times and parse none", async () => {
    const { open, publish } = opened();
    const streams = await Promise.all(Array.from({ length: 200 }, open));
    const got = streams.map(reading);
    await turn();
    const encode = spyOn(TextEncoder.prototype, "encode");
    const parse = spyOn(JSON, "parse");
    const parsedBefore = parse.mock.calls.length;
    await publish(10);
    await turn();
    const encodings = encode.mock.calls.filter(([text]) => text?.includes("event: status_update")).length;
    const parsed = parse.mock.calls.length - parsedBefore;
    encode.mockRestore();
    parse.mockRestore();
    expect([encodings, parsed]).toEqual([10, 0]);
    for (const { text } of got)
      expect(text.match(/^id: .+\nevent: status_update\ndata: \{"event_id"/gm)).toHaveLength(10);
  });

  test("ADM-10: every stream shares the bytes of an event, also after its client came back", async () => {
    const { ask, eventsPath, open, publish } = opened();
    const both = [await open(), await open()].map((stream) => stream.getReader());
    for (const reader of both) await nextTwo(reader);
    await publish(1, "x".repeat(200_000));
    const [one, other] = await Promise.all(both.map((reader) => reader.read()));
    expect(one?.value?.buffer).toBe(other?.value?.buffer as ArrayBuffer);
    const back = await ask(`${eventsPath}?last_event_id=0`, STREAM);
    const again = (back.body as ReadableStream<Uint8Array>).getReader();
    await nextTwo(again);
    expect((await again.read()).value?.length).toBe(one?.value?.length as number);
  });
});

/** The first retry, and connection_established. */
async function nextTwo(reader: { read(): Promise<unknown> }): Promise<void> {
  await reader.read();
  await reader.read();
}
