import type { InboxEntry, InboxPort } from "../../application/ports/inbox-port.ts";
import { eventually } from "../eventually.ts";

export type Fields = readonly [name: string, value: string][];

/** The broker under test. The suite asks for an empty inbox for each of its tests. */
export interface InboxUnderTest {
  /** Another node on the same broker; the suite closes it. */
  node(): InboxPort | Promise<InboxPort>;
  /** Adds an entry as a worker does. Resolves with its id. If entries have no fields, `fields` is one `event` alone. */
  add(fields: Fields): Promise<string>;
  /** Adds an event as a worker does that addresses a channel. Resolves with its id. */
  addTo?(channel: string, event: string): Promise<string>;
  /** Resolves when so many milliseconds of the broker's time have passed. */
  elapse(milliseconds: number): Promise<void>;
  /** Called after the nodes were closed. */
  close(): Promise<void>;
}

/** How an entry of the inbox under test may look. */
export interface InboxCapabilities {
  /** Whether an entry has fields, of which one is `event`. Without them an entry is the event. Default: true. */
  readonly fields?: boolean;
  /** Whether an entry may have a key beside its event (`idempotency_key`). Default: false. */
  readonly keys?: boolean;
  /** Whether workers may address a channel, for which there is `addTo`. Default: false. */
  readonly channels?: boolean;
}

/** The first entry that the node takes. It may need some takes: the node has to connect, or to become the taker. */
export async function firstEntry(inbox: InboxPort): Promise<InboxEntry> {
  let first: InboxEntry | undefined;
  await eventually("the node takes an entry", async () => {
    const taken = await inbox.take();
    if (taken.type === "batch") first = taken.entries[0];
    return first !== undefined;
  });
  if (first === undefined) throw new Error("the node took a batch without an entry");
  return first;
}
