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

/** The tools of one group of rules: both belong to the running test. */
export interface PubSubRuleContext {
  node: PubSubUnderTest["node"];
  broker(): PubSubUnderTest;
}
