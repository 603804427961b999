import { afterAll, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import type { Redis } from "ioredis";
import { connect, endFor, type RedisTarget } from "../../../../src/adapters/redis/redis-connection.ts";
import { eventually } from "../../../../src/testing/eventually.ts";

const endings: (() => unknown)[] = [];
afterAll(() => {
  for (const end of endings) end();
});

/** A server that calls `serve` with each connection. */
async function serverAt(
  serve: (socket: Socket) => void,
): Promise<{ readonly host: string; readonly port: number }> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket.on("error", () => {}));
    serve(socket);
  });
  endings.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  return { host: "127.0.0.1", port: typeof at === "object" && at !== null ? at.port : 0 };
}

function clientOf(target: RedisTarget, pauseMs: () => number | null): Redis {
  const redis = connect(target, "test", pauseMs);
  endings.push(() => redis.disconnect());
  redis.on("error", () => {});
  return redis;
}

describe("RDY-2: a connection over TLS", () => {
  test("to a server that takes it and answers no handshake says so, and names the port as one cause", async () => {
    const at = await serverAt(() => {});
    const target = { ...at, db: 0, tls: { verifies: true } };
    const redis = clientOf(target, () => null);
    const failure = await new Promise<Error>((resolve) => redis.on("error", resolve));
    expect(endFor(failure, target)).toEqual({
      trouble: { cause: "silent" },
      detail:
        "Redis took the connection but did not answer the TLS handshake: it hangs or is overloaded, or this port has no TLS (use its tls-port)",
    });
  }, 30_000);
});

describe("OPS-4: a password from a file", () => {
  test("is read again before each connection, and stays as it was while the file cannot be read", async () => {
    const heard: string[] = [];
    const at = await serverAt((socket) => {
      socket.on("data", (data) => {
        const [, password] = /auth\r\n\$\d+\r\n(.*)\r\n/i.exec(`${data}`) ?? [];
        if (password === undefined) return;
        heard.push(password);
        socket.destroy();
      });
    });
    const contents = ["first", "second", undefined, "third"];
    const read = () => (contents.length > 1 ? contents.shift() : contents[0]);
    clientOf(
      { ...at, db: 0, password: "zero", passwordFrom: { setting: "REDIS_PASSWORD_FILE", read } },
      () => 0,
    );
    await eventually("it tried the last", async () => heard.includes("third"));
    expect(heard.slice(0, 4)).toEqual(["first", "second", "second", "third"]);
  }, 30_000);
});
