import { Redis } from "ioredis";

/**
 * The other side of the ratio is the least that Bun can do: an ioredis subscriber that hands every message to
 * `server.publish`. No token, no history, no order, no limits. Arguments: the Redis URL.
 */
const redis = new Redis(process.argv[2] ?? "");
const server = Bun.serve<{ channel: string }>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const channel = `analysis:${new URL(request.url).pathname.split("/").at(-1)}`;
    return server.upgrade(request, { data: { channel } }) ? undefined : new Response("no", { status: 400 });
  },
  websocket: {
    open(socket) {
      socket.subscribe(socket.data.channel);
      socket.send('{"event_type":"connection_established"}');
    },
    message() {},
  },
});
await redis.psubscribe("analysis:*");
redis.on("pmessage", (_pattern, channel, message) => server.publish(channel, message));
console.log(`answers at http://127.0.0.1:${server.port}`);
