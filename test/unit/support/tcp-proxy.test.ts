import { afterEach, describe, expect, test } from "bun:test";
import { type AddressInfo, createServer, type Server, type Socket, connect as tcpConnect } from "node:net";
import { eventually } from "../../../src/testing/eventually.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";

describe("TcpProxy", () => {
  let server: Server | undefined;
  let proxy: TcpProxy | undefined;
  const clients: Socket[] = [];

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await proxy?.stop();
    server?.close();
  });

  /** An echo behind the proxy. */
  async function start(): Promise<TcpProxy> {
    server = createServer((socket) => socket.on("error", () => {}).pipe(socket));
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port was given");
    proxy = await TcpProxy.start({ host: "127.0.0.1", port: address.port });
    return proxy;
  }

  function client(through: TcpProxy): { readonly socket: Socket; readonly told: string[] } {
    const told: string[] = [];
    const socket = tcpConnect({ host: through.host, port: through.port });
    socket.on("data", (bytes: Buffer) => told.push(bytes.toString()));
    socket.on("end", () => told.push("<end>"));
    socket.on("close", () => told.push("<closed>"));
    socket.on("error", () => {});
    clients.push(socket);
    return { socket, told };
  }

  test("sends new connections to another server, and leaves those there are", async () => {
    const through = await start();
    const before = client(through);
    before.socket.write("before");
    await eventually("the echo answers", async () => before.told.length === 1);
    const other = createServer((socket) => socket.on("error", () => {}).end("other"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    through.retarget({ host: "127.0.0.1", port: (other.address() as AddressInfo).port });
    const after = client(through);
    await eventually("the other answers", async () => after.told[0] === "other");
    before.socket.write("again");
    await eventually("the echo still answers", async () => before.told.join() === "before,again");
    other.close();
  });

  test("passes both ways, and knows connections by what they began with", async () => {
    const through = await start();
    const [one, two] = [client(through), client(through)];
    one.socket.write("I am one");
    two.socket.write("I am two");
    await eventually("both are answered", async () => one.told.length === 1 && two.told.length === 1);
    expect(through.connections.map(({ opening }) => opening).sort()).toEqual(["I am one", "I am two"]);
  });

  test("holds one way or both, of one connection or all, and loses nothing of it", async () => {
    const through = await start();
    const [one, two] = [client(through), client(through)];
    one.socket.write("one;");
    two.socket.write("two;");
    await eventually("both are answered", async () => one.told.length === 1 && two.told.length === 1);
    const seen: string[] = [];
    through.onData = (_, direction, bytes) => seen.push(`${direction} ${Buffer.from(bytes)}`);
    through.connections.find(({ opening }) => opening.startsWith("one"))?.pause("down");
    one.socket.write("held;");
    two.socket.write("passed;");
    await eventually(
      "it came as far as it may",
      async () => seen.filter((s) => /^down/.test(s)).length === 2,
    );
    await eventually("the other is answered", async () => two.told.length === 2);
    expect(one.told).toEqual(["one;"]);
    through.resume();
    await eventually("what waited came", async () => one.told.length === 2);
    through.pause("up");
    one.socket.write("never arrives;");
    await eventually("it was sent", async () => seen.some((s) => s.includes("never")));
    through.cut();
    await eventually(
      "both are cut",
      async () => one.told.includes("<closed>") && two.told.includes("<closed>"),
    );
    expect(one.told.join("")).not.toContain("never");
    expect(through.connections).toEqual([]);
  });

  test("holds and refuses connections still to come", async () => {
    const through = await start();
    through.pause();
    const held = client(through);
    held.socket.write("hello");
    await eventually("it is there", async () => through.connections[0]?.opening === "hello");
    expect(held.told).toEqual([]);
    through.resume();
    await eventually("it is answered", async () => held.told[0] === "hello");
    through.refuse(true);
    const refused = client(through);
    await eventually("it is refused", async () => refused.told.includes("<closed>"));
    through.refuse(false);
    const taken = client(through);
    taken.socket.write("x");
    await eventually("it is answered", async () => taken.told[0] === "x");
  });

  test("the end of one side reaches the other", async () => {
    const through = await start();
    const one = client(through);
    one.socket.end("bye");
    await eventually("it has ended", async () => one.told.includes("<end>"));
    expect(one.told[0]).toBe("bye");
    await eventually("nothing is left", async () => through.connections.length === 0);
  });
});
