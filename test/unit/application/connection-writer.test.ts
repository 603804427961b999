import { describe, expect, test } from "bun:test";
import { ConnectionWriter, type FrameSource } from "../../../src/application/fan-out/connection-writer.ts";
import { DeliveryMeter } from "../../../src/application/fan-out/delivery-meter.ts";
import type { ControlFrame } from "../../../src/application/ports/client-connection-port.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { RecordingConnection } from "../../../src/testing/recording-connection.ts";
import { controlFrame } from "../../support/control-frame.ts";

/** Frames that wait, and go on when the writer says so. */
class Waiting implements FrameSource {
  readonly #writer: ConnectionWriter;
  readonly #frames: string[];

  constructor(writer: ConnectionWriter, frames: string[]) {
    this.#writer = writer;
    this.#frames = frames;
    writer.addSource(this);
  }

  get many(): boolean {
    return this.#frames.length > 1;
  }

  get left(): number {
    return this.#frames.length;
  }

  peek(): ControlFrame | undefined {
    const [text] = this.#frames;
    return text === undefined ? undefined : controlFrame(text);
  }

  advance(): undefined {
    this.#frames.shift();
  }

  flush(): void {
    this.#writer.drainFrom(this);
  }
}

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);
}

describe("ConnectionWriter", () => {
  const opened = () => {
    const clock = new ManualClock();
    const wire = new RecordingConnection();
    return { clock, wire, writer: new ConnectionWriter(wire, clock, new DeliveryMeter()) };
  };

  test("sends everything that waits, in order, while the socket takes it", () => {
    const { wire, writer } = opened();
    new Waiting(writer, numbered(1, 5)).flush();
    expect(wire.frames).toEqual(numbered(1, 5));
    expect(writer.open).toBe(true);
  });

  test("stops when the socket takes no more, and goes on in order once it drained", () => {
    const { wire, writer } = opened();
    wire.takeOnly(1);
    const waiting = new Waiting(writer, ["x".repeat(70_000), "2", "3"]);
    waiting.flush();
    expect([wire.frames.length, waiting.left, writer.open]).toEqual([1, 2, false]);
    waiting.flush();
    expect(wire.frames).toHaveLength(1);
    wire.takeAll();
    writer.drained();
    expect(wire.frames.slice(1)).toEqual(["2", "3"]);
    expect(writer.open).toBe(true);
  });

  test("a drain lets every source go on, until the socket is full again", () => {
    const { wire, writer } = opened();
    wire.takeOnly(1);
    writer.sendControl(controlFrame("first"));
    const sources = ["a", "b", "c"].map((frame) => new Waiting(writer, [frame]));
    for (const source of sources) source.flush();
    expect(wire.frames).toEqual(["first"]);
    wire.takeOnly(2);
    writer.drained();
    expect(wire.frames).toEqual(["first", "a", "b"]);
    wire.takeAll();
    writer.drained();
    expect(wire.frames).toEqual(["first", "a", "b", "c"]);
  });

  test("a source that was removed is left alone", () => {
    const { wire, writer } = opened();
    const removed = new Waiting(writer, ["a"]);
    writer.removeSource(removed);
    writer.drained();
    expect(wire.frames).toEqual([]);
  });

  test("hands several frames over in one piece, 64 Ki characters at most and one frame at least", () => {
    const { wire, writer } = opened();
    new Waiting(writer, ["only one"]).flush();
    expect(wire.batches).toEqual([]);
    new Waiting(writer, [...numbered(1, 100)]).flush();
    expect(wire.batches).toEqual([100]);
    const large = "x".repeat(40 * 1024);
    new Waiting(writer, [large, large, large, "small"]).flush();
    expect(wire.batches).toEqual([100, 2, 2]);
    new Waiting(writer, ["x".repeat(1024 * 1024), "small"]).flush();
    expect(wire.batches).toEqual([100, 2, 2, 1]);
    expect(wire.frames.slice(-2).map((frame) => frame.length)).toEqual([1024 * 1024, 5]);
  });

  test("a frame of the protocol goes ahead of what waits, also while the socket takes no more", () => {
    const { wire, writer } = opened();
    wire.takeOnly(1);
    const waiting = new Waiting(writer, ["1"]);
    writer.sendControl(controlFrame("established"));
    waiting.flush();
    writer.sendControl(controlFrame("required"));
    expect(wire.frames).toEqual(["established", "required"]);
  });

  test("each source has its turn on a socket that takes little at a time", () => {
    const { wire, writer } = opened();
    wire.takeOnly(1);
    writer.sendControl(controlFrame("full"));
    const large = (name: string) => Array.from({ length: 9 }, () => name.repeat(70_000));
    for (const source of [new Waiting(writer, large("a")), new Waiting(writer, large("b"))]) source.flush();
    for (let drained = 0; drained < 4; drained++) {
      wire.takeOnly(1);
      writer.drained();
    }
    expect(wire.frames.slice(1).map(([first]) => first)).toEqual(["a", "b", "a", "b"]);
  });

  test("a frame the client can do without is left out while the socket takes no more", () => {
    const { wire, writer } = opened();
    writer.sendControl(controlFrame("pong 1"), "dispensable");
    wire.takeOnly(1);
    writer.sendControl(controlFrame("last one taken"));
    for (let asked = 0; asked < 1_000; asked++) writer.sendControl(controlFrame("pong 2"), "dispensable");
    expect(wire.frames).toEqual(["pong 1", "last one taken"]);
    wire.takeAll();
    writer.drained();
    writer.sendControl(controlFrame("pong 3"), "dispensable");
    expect(wire.frames.at(-1)).toBe("pong 3");
  });

  test("sends nothing more to a socket that broke, and a late drain changes nothing", () => {
    const { wire, writer } = opened();
    wire.breakDown();
    const waiting = new Waiting(writer, numbered(1, 3));
    waiting.flush();
    expect(writer.gone).toBe(true);
    writer.drained();
    writer.sendControl(controlFrame("late"));
    expect([writer.gone, writer.open, wire.frames.length]).toEqual([true, false, 0]);
  });

  test("once closed, its sources are forgotten and nothing is sent", () => {
    const { wire, writer } = opened();
    const waiting = new Waiting(writer, ["1"]);
    writer.closed();
    writer.drained();
    waiting.flush();
    writer.sendControl(controlFrame("late"));
    expect(wire.frames).toEqual([]);
  });

  test("knows when a frame last went out; what was left out or lost does not count", () => {
    const { clock, wire, writer } = opened();
    const began = clock.now();
    expect(writer.lastSentAt).toBe(began);
    clock.advance(1_000);
    wire.takeOnly(1);
    writer.sendControl(controlFrame("one"));
    expect(writer.lastSentAt).toBe(began + 1_000);
    clock.advance(1_000);
    writer.sendControl(controlFrame("left out"), "dispensable");
    expect(writer.lastSentAt).toBe(began + 1_000);
    wire.breakDown();
    writer.sendControl(controlFrame("lost"));
    expect(writer.lastSentAt).toBe(began + 1_000);
  });
});
