import { setTimeout as pause } from "node:timers/promises";
import type { CommonFault } from "./kinds.ts";
import type { Round } from "./round.ts";

/** Long enough for a publish to be answered before the broker answers its listeners. */
export const A_MOMENT_MS = 100;

/** Faults of the server, whichever broker it is. */
export const brokerFaults: readonly CommonFault[] = [
  {
    name: "broker killed, restarted with its data",
    rounds: 40,
    strike: async (round) => {
      await killBroker(round);
      await pause(300 * round.random());
      await round.stage.broker.restart();
      await round.recovers();
    },
  },
  {
    name: "broker frozen for 15 s",
    rounds: 5,
    strike: async (round) => {
      const { broker } = round.stage;
      broker.freeze();
      const from = performance.now() - A_MOMENT_MS;
      await pause(15_000);
      broker.thaw();
      await round.stage.untilReady();
      // The messages that it gets while it is frozen go to listeners that have given it up.
      round.nobodyHeard(from, performance.now());
      await round.recovers();
    },
  },
];

export async function killBroker(round: Round): Promise<void> {
  const from = performance.now() - A_MOMENT_MS;
  await round.stage.broker.kill9();
  // A message of its last moment may have been heard by nobody.
  round.nobodyHeard(from, performance.now());
}

/** For moments that are shorter and longer than the deadline of an append. */
export async function freezeAgainAndAgain(round: Round): Promise<void> {
  const { broker } = round.stage;
  for (let time = 0; time < 4; time++) {
    broker.freeze();
    await pause(200 + 3_500 * round.random());
    broker.thaw();
    await pause(300 * round.random());
  }
  await round.recovers();
}
