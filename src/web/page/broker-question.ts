import type { WatchOptions } from "../../client/sdk.ts";

const PATIENCE_MS = 5_000;

/** Whether the gateway says of a read that its broker is away: a connection that it refuses does not say why. */
export async function isBrokerAway({ url, analysisId, token }: WatchOptions): Promise<boolean> {
  try {
    const bearer = typeof token === "string" ? token : await token();
    const path = `v1/analyses/${encodeURIComponent(analysisId)}`;
    const response = await fetch(new URL(path, url.replace(/\/*$/, "/")), {
      headers: { Authorization: `Bearer ${bearer}` },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.status !== 503) return false;
    const { code } = (await response.json()) as { readonly code?: unknown };
    return code === "broker_unavailable";
  } catch {
    // A proxy answers with a page of its own, or nobody does. The connection says that already.
    return false;
  }
}
