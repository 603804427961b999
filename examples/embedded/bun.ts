import { app, telltale } from "./server.ts";

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT ?? 3000),
  fetch: app.fetch,
  websocket: telltale.websocket,
});
process.on("SIGTERM", async () => {
  await telltale.drain();
  await server.stop(true);
  process.exit(0);
});
console.log(`The application answers at ${server.url.origin}`);
