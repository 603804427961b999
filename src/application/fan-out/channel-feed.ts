import type { ViewerList } from "../../domain/access-grant.ts";
import type { Fanout } from "./fanout.ts";

/** A channel that somebody on this node watches: one subscription at the broker, however many watch. */
export interface ChannelFeed {
  readonly fanout: Fanout;
  /** Resolves when everything published from now on arrives; rejects as `PubSubPort.subscribe` does. */
  open(): Promise<void>;
  close(): void;
}

/** The last status and the standing terminal event, in the order of their offsets, each once. */
export interface LatestEvents<Event> {
  readonly status: Event | undefined;
  readonly terminal: Event | undefined;
}

export function inOrder<Event extends { position: { offset: number } }>(
  latest: LatestEvents<Event>,
): Event[] {
  const { status, terminal } = latest;
  if (status === undefined) return terminal === undefined ? [] : [terminal];
  if (terminal === undefined || terminal.position.offset === status.position.offset) return [status];
  return terminal.position.offset < status.position.offset ? [terminal, status] : [status, terminal];
}

export type KnownViewers = ViewerList | undefined;
