import { type HubOptions, openHub } from "./hub.ts";

/**
 * Leads the tabs of the group as soon as no other tab does, until the returned function is called. If `atOnce`, takes the place of the one
 * that does.
 */
export function standForLeader(options: HubOptions, atOnce = false): () => void {
  const standing = new AbortController();
  const { signal } = standing;
  let close = () => {};
  navigator.locks
    .request(options.name, atOnce ? { steal: true } : { signal }, async () => {
      if (signal.aborted) return;
      close = openHub(options);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    })
    .catch((error: Error) => {
      // Another tab has taken the place, or nobody waits for it any more.
      if (error.name !== "AbortError") options.environment.report(error);
    })
    .finally(() => close());
  return () => {
    close();
    standing.abort();
  };
}
