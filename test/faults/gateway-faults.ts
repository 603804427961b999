import { setTimeout as pause } from "node:timers/promises";
import type { CommonFault } from "./kinds.ts";
import { SocketWatcher } from "./watchers.ts";

/** Long enough for what was heard to be stored. */
const A_MOMENT_MS = 300;

/** Faults of a gateway. */
export const gatewayFaults: readonly CommonFault[] = [
  {
    name: "gateway killed with 1,000 clients",
    rounds: 25,
    strike: async (round) => {
      const [analysisId = ""] = round.analysisIds;
      for (let index = 0; index < 1000; index++) {
        round.watch(
          new SocketWatcher({ ...round.watching(analysisId, `crowd-${index}`, 1), patienceMs: 5_000 }),
        );
        if (index % 100 === 99) await pause(20);
      }
      await round.untilSeen(2);
      const [, seat] = round.stage.seats;
      await seat.kill9();
      await pause(200 * round.random());
      await seat.startAgain();
      await round.recovers();
    },
  },
  {
    name: "gateway killed",
    rounds: 40,
    strike: async (round) => {
      const seat = round.eitherSeat();
      await seat.kill9();
      await pause(200 * round.random());
      await seat.startAgain();
      await round.recovers();
    },
  },
  {
    name: "all gateways killed",
    rounds: 20,
    strike: async (round) => {
      const from = performance.now() - A_MOMENT_MS;
      await Promise.all(round.stage.seats.map((seat) => seat.kill9()));
      // Nobody hears a worker now; the entries that it adds to the inbox wait there.
      round.nobodyHeard(from, performance.now());
      await pause(500 * round.random());
      await Promise.all(round.stage.seats.map((seat) => seat.startAgain()));
      await round.recovers();
    },
  },
  {
    name: "gateway restarted",
    rounds: 30,
    strike: async (round) => {
      const seat = round.eitherSeat();
      const code = await seat.stop();
      if (code !== 0) round.faults.push({ name: "answer", what: `the drain ended with ${code}` });
      await seat.startAgain();
      await round.recovers();
    },
  },
  {
    name: "gateway frozen for 15 s",
    rounds: 5,
    strike: async (round) => {
      round.ledger.answersMayBeLate = true;
      const seat = round.eitherSeat();
      seat.freeze();
      await pause(15_000);
      seat.thaw();
      await round.recovers();
    },
  },
];
