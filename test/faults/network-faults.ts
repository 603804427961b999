import { setTimeout as pause } from "node:timers/promises";
import type { Direction } from "../support/tcp-proxy.ts";
import type { CommonFault } from "./kinds.ts";

/** Faults of the network, between a gateway and its broker or between a gateway and its clients. */
export const networkFaults: readonly CommonFault[] = [
  ...(["up", "down", undefined] as const).map(
    (direction): CommonFault => ({
      name: `broker out of reach of one gateway, ${wayOf(direction)}`,
      rounds: 15,
      strike: async (round) => {
        const seat = round.eitherSeat();
        seat.brokerSide.pause(direction);
        await pause(500 + 1500 * round.random());
        // Half the time what waited is lost, as in a network that comes back by other ways.
        if (round.random() < 0.5) seat.brokerSide.cut();
        seat.brokerSide.resume(direction);
        await round.recovers();
      },
    }),
  ),
  ...(["up", "down", undefined] as const).map(
    (direction): CommonFault => ({
      name: `clients out of reach of one gateway, ${wayOf(direction)}`,
      rounds: 15,
      strike: async (round) => {
        round.ledger.answersMayBeLate = true;
        const seat = round.eitherSeat();
        seat.clientSide.pause(direction);
        await pause(500 + 1500 * round.random());
        if (round.random() < 0.5) seat.clientSide.cut();
        seat.clientSide.resume(direction);
        await round.recovers();
      },
    }),
  ),
  {
    name: "connections to the broker cut and refused for a while",
    rounds: 20,
    strike: async (round) => {
      const seat = round.eitherSeat();
      seat.brokerSide.refuse(true);
      seat.brokerSide.cut();
      await pause(300 + 700 * round.random());
      seat.brokerSide.refuse(false);
      await round.recovers();
    },
  },
];

function wayOf(direction: Direction | undefined): string {
  if (direction === undefined) return "both ways";
  return direction === "up" ? "nothing sent" : "nothing heard";
}
