import { reasonOf } from "../application/reason-of.ts";

const PATIENCE_MS = 3_000;

/** What `telltale health` does: the exit code of a container's health check, without a shell or curl in the image. */
export async function askHealth(host: string, port: number): Promise<0 | 1> {
  const url = `http://${reachable(host)}:${port}/health`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.ok) return 0;
    console.error(`${url} answered ${response.status}`);
  } catch (error) {
    console.error(`${url} did not answer: ${reasonOf(error)}`);
  }
  return 1;
}

/** Where the machine itself reaches what listens on `host`. */
export function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
