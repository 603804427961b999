import { eventStream, longPoll } from "../watch/event-stream-transport.ts";
import type { ConnectionRequest, TransportChoice } from "../watch/transport.ts";
import { choiceOf } from "../watch/transport-choice.ts";
import { webSocket } from "../watch/web-socket-transport.ts";
import { openHub } from "./hub.ts";

export const chooseAnyTransport = choiceOf([webSocket, eventStream, longPoll]);

const choices = new Map<string, TransportChoice>();

/**
 * Leads the tabs of the group as soon as no other tab does, until the returned function is called. If `atOnce`, takes the place of the one
 * that does.
 */
export function standForLeader(name: string, request: ConnectionRequest, atOnce = false): () => void {
  const standing = new AbortController();
  const { signal } = standing;
  const choice = choices.get(name) ?? chooseAnyTransport(request.base, request.environment);
  choices.set(name, choice);
  let close = () => {};
  navigator.locks
    .request(name, atOnce ? { steal: true } : { signal }, async () => {
      if (signal.aborted) return;
      close = openHub(name, request, choice);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    })
    .catch((error: Error) => {
      // Another tab has taken the place, or nobody waits for it any more.
      if (error.name !== "AbortError") request.environment.report(error);
    })
    .finally(() => close());
  return () => {
    close();
    standing.abort();
  };
}
