import { connect, type Socket } from "node:net";

/** A client that asks and then never reads, as a machine that was put to sleep. Resolves when its request is on its way. */
export async function frozenClient(url: string, headers: Readonly<Record<string, string>>): Promise<Socket> {
  const { hostname, port, host, pathname, search } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ host: hostname, port: Number(port) }, resolve);
  socket.on("error", () => {});
  socket.pause();
  await promise;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\n${lines.join("")}\r\n`);
  return socket;
}

export const UPGRADE = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
} as const;
