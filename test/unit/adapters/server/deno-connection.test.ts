import { describe, expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { Writable } from "node:stream";
import type { WebSocket } from "ws";
import { DenoConnection } from "../../../../src/adapters/server/deno-connection.ts";
import { controlFrame } from "../../../support/control-frame.ts";
import { turn } from "../../../support/turn.ts";

const PIECE = 64 * 1024;

/** A socket whose client takes a piece when the test says so. */
function bench() {
  const taken: Buffer[] = [];
  let take: (() => void) | undefined;
  const socket = new Writable({
    highWaterMark: PIECE,
    write(bytes: Buffer, _, done) {
      take = () => {
        take = undefined;
        taken.push(bytes);
        done();
      };
    },
    writev(chunks, done) {
      take = () => {
        take = undefined;
        taken.push(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)));
        done();
      };
    },
  });
  const said: string[] = [];
  const webSocket = Object.assign(new EventEmitter(), {
    OPEN: 1,
    readyState: 1,
    ping: () => said.push(`ping after ${socket.writableLength}`),
    close(code: number) {
      said.push(`close ${code} after ${socket.writableLength}`);
      webSocket.readyState = 2;
    },
    terminate: () => said.push("terminate"),
  });
  const connection = new DenoConnection(webSocket as unknown as WebSocket, socket as unknown as Socket, {
    drained: () => said.push("drained"),
    closed: () => said.push("closed"),
  });
  const takeOne = async () => {
    take?.();
    await turn();
  };
  return { connection, webSocket, socket, taken, said, takeOne };
}

describe("a connection on Deno", () => {
  test.each([1, 125, 126, 0xffff, 0x10000])(
    "writes a text of %d bytes as one whole frame",
    async (length) => {
      const { connection, taken, takeOne } = bench();
      connection.send(controlFrame("x".repeat(length)));
      await takeOne();
      await takeOne();
      const bytes = Buffer.concat(taken);
      const header = length < 126 ? 2 : length <= 0xffff ? 4 : 10;
      const said =
        length < 126 ? bytes[1] : length <= 0xffff ? bytes.readUInt16BE(2) : bytes.readBigUInt64BE(2);
      expect([bytes[0], Number(said), bytes.length]).toEqual([0x81, length, header + length]);
    },
  );

  test("is blocked until its client has taken all, and shows each piece that it takes", async () => {
    const { connection, taken, said, takeOne } = bench();
    expect(connection.send(controlFrame("x".repeat(3 * PIECE)))).toBe("blocked");
    expect(connection.tookSome()).toBe(false);
    await takeOne();
    expect([connection.tookSome(), connection.tookSome()]).toEqual([true, false]);
    while (connection.unsent > 0) await takeOne();
    expect(taken.map(({ length }) => length)).toEqual([PIECE, PIECE, PIECE, 10]);
    expect(said).toEqual(["drained"]);
  });

  test("writes a batch in one piece, and before a close that is asked for amid it", async () => {
    const { connection, taken, said, takeOne } = bench();
    connection.batch(() => {
      for (const text of ["a", "b", "c"]) connection.send(controlFrame(text));
      connection.close(1001, "");
      expect(connection.send(controlFrame("d"))).toBe("gone");
    });
    await takeOne();
    expect(Buffer.concat(taken).toString("latin1")).toBe("\x81\x01a\x81\x01b\x81\x01c");
    expect(taken).toHaveLength(1);
    expect(said).toEqual(["close 1001 after 9", "closed"]);
  });
});
