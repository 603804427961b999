/** How long everything lasts, in seconds. */
export interface Lengths {
  /** The gateways' STALL_AFTER_SECONDS and, if they end what is abandoned, ABANDON_AFTER_SECONDS. */
  readonly stall: number;
  readonly abandon: number;
  /** A worker is stopped, and a server is away, for so long. */
  readonly stopped: number;
  readonly away: number;
  /** The last state is to arrive within this of when it could be known; undefined if a busy machine may take any time. */
  readonly limit?: number;
}

/** As the issue asks for. A worker is heard every ten seconds, so it is not taken for stalled before twelve. */
export const FULL: Lengths = { stall: 12, abandon: 20, stopped: 20, away: 30, limit: 5 };

/** For each check of the repository. */
export const BRIEF: Lengths = { stall: 2, abandon: 4, stopped: 3, away: 3 };
