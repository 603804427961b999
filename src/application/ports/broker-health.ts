import type { BrokerCause } from "../broker-trouble.ts";

/** The state of the broker as a gateway knows it. `down`: the broker gives nothing. */
export type BrokerHealth = { readonly warnings: readonly string[] } & (
  | {
      readonly status: "up";
      /** Why the broker would not store an append, though what is kept can be read and watched. */
      readonly refuses?: BrokerFault | undefined;
    }
  | ({ readonly status: "down" } & BrokerFault)
);

export interface BrokerFault {
  readonly cause: BrokerCause;
  /** The words for the cause, which anybody may read. */
  readonly reason: string;
}

/** Whether what is kept can be read. A newer format makes only the channels unreadable that have it. */
export function canRead(health: BrokerHealth): boolean {
  return health.status === "up" || health.cause === "newer_format";
}
