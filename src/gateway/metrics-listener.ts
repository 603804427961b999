import { once } from "node:events";
import { createServer } from "node:http";
import type { Exposition } from "../adapters/http/metrics-routes.ts";
import { reasonOf } from "../application/errors.ts";
import { routedPath } from "../session/mounted-path.ts";
import type { NetworkAddress } from "./config/network-address.ts";

export interface MetricsListener {
  /** Ends it, and whatever it was answering. */
  close(): void;
}

/**
 * Serves `/metrics`, and nothing else, at an address of its own; below `basePath` as well. Rejects if the address cannot
 * be had.
 */
export async function listenForMetrics(
  { host, port }: NetworkAddress,
  exposition: Exposition,
  basePath: string,
): Promise<MetricsListener> {
  const server = createServer((request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    if (routedPath({ path: "", basePath }, path) !== "/metrics" || request.method !== "GET")
      return void response.writeHead(404).end();
    exposition.text().then(
      (text) => response.writeHead(200, { "Content-Type": exposition.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.listen({ host, port });
  try {
    await once(server, "listening");
  } catch (error) {
    throw new Error(`METRICS: ${host}:${port} cannot be had (${reasonOf(error)})`, { cause: error });
  }
  return {
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
