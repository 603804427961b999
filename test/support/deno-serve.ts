/** The application of examples/embedded on Deno's own server, which has no sockets that Telltale could use. */
import { app, telltale } from "../../examples/embedded/server.ts";

declare const Deno: {
  serve(
    options: { hostname: string; port: number; onListen(address: { port: number }): void },
    handler: (request: Request) => Response | Promise<Response>,
  ): { shutdown(): Promise<void> };
};

const server = Deno.serve(
  {
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(`The application answers at http://127.0.0.1:${port}`),
  },
  (request) => app.fetch(request),
);
process.on("SIGTERM", async () => {
  await telltale.drain();
  await server.shutdown();
  process.exit(0);
});
