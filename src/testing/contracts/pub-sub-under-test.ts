import type { PubSubPort } from "../../application/ports/pub-sub-port.ts";

/** The broker under test. The suite asks for a fresh one, or one that was emptied, for each of its tests. */
export interface PubSubUnderTest {
  /** Another node on the same broker; the suite closes it. */
  node(history?: { readonly size?: number; readonly ttlMs?: number }): Promise<PubSubPort>;
  /** Resolves when so many milliseconds of the broker's time have passed. */
  elapse(milliseconds: number): Promise<void>;
  /** The broker loses everything it kept; connections stay. */
  loseEverything(): Promise<void>;
  /** Marks the channel as written by a newer Telltale. Left out if nothing outlives the process. */
  writeNewerFormat?(channel: string): Promise<void>;
  /** Called after the nodes were closed. */
  close(): Promise<void>;
}

/** The parts of `PubSubPort` that not every broker has. The suite skips the rules of the others. */
export interface PubSubCapabilities {
  /** Whether events outlive the process, so that a newer Telltale may have written them. Then there is `writeNewerFormat`. */
  readonly newerFormat: boolean;
  /** Whether the broker recognises bare messages (`by: "occurrence"`), as in a bundle with worker channels. */
  readonly occurrences: boolean;
  /** Whether it keeps requests to cancel: it has `requestCancel` and `signOfLife`. Default: true. */
  readonly cancels?: boolean | undefined;
  /** Whether a snapshot has the request to cancel that an ended run had (`ChannelSnapshot.cancelAtEnd`). Default: false. */
  readonly endedCancels?: boolean | undefined;
  /** Some ids, at least six, in the order of the bundle's inbox (`by: "entry"`); none if the bundle has no inbox. */
  readonly entryIds: readonly string[];
  /** Whether entries of that inbox may have keys (`EntryKey.named`). Default: false. */
  readonly entryKeys?: boolean | undefined;
}

/** The tools of one group of rules: both belong to the running test. */
export interface PubSubRuleContext {
  node: PubSubUnderTest["node"];
  broker(): PubSubUnderTest;
}
