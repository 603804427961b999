import { createServer } from "node:net";

/**
 * Below those that the system gives out (`ip_local_port_range`): nobody takes the port of a server while it restarts, and
 * no client that tries to reach it gets that port as its own.
 */
const FIRST = 12_000;
const COUNT = 20_000;

/** Resolves with a port of loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  while (true) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
