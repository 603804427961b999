import { app, telltale } from "./server.ts";

/** The types of Deno are not those of this repository. */
declare const Deno: {
  serve(
    options: { hostname: string; port: number; onListen(address: { port: number }): void },
    handler: (request: Request) => Response | Promise<Response>,
  ): { shutdown(): Promise<void> };
};

const server = Deno.serve(
  {
    hostname: "127.0.0.1",
    port: Number(process.env.PORT ?? 3000),
    onListen: ({ port }) => console.log(`The application answers at http://127.0.0.1:${port}`),
  },
  (request) => app.fetch(request),
);
process.on("SIGTERM", async () => {
  await telltale.drain();
  await server.shutdown();
  process.exit(0);
});
