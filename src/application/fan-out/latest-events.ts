import type { PublishedEvent } from "../ports/pub-sub-port.ts";

/** What a late joiner needs of an analysis: the last status and the terminal event that stands. */
export interface LatestEvents {
  readonly status: PublishedEvent | undefined;
  readonly terminal: PublishedEvent | undefined;
}

/** In the order of their offsets, each once. */
export function inOrder({ status, terminal }: LatestEvents): PublishedEvent[] {
  if (status === undefined) return terminal === undefined ? [] : [terminal];
  if (terminal === undefined || terminal.position.offset === status.position.offset) return [status];
  return terminal.position.offset < status.position.offset ? [terminal, status] : [status, terminal];
}

export function latestAfter(latest: LatestEvents, event: PublishedEvent): LatestEvents {
  const standing = event.reopens ? undefined : latest.terminal;
  switch (event.kind) {
    case "status":
      return { status: event, terminal: undefined };
    case "status_completed":
      return { status: event, terminal: standing };
    case "status_failed":
      return { status: event, terminal: event };
    case "result":
    case "error":
      return { status: latest.status, terminal: event };
    case "notice":
      return latest;
  }
}
