import { setTimeout as pause } from "node:timers/promises";
import type { Direction } from "../support/tcp-proxy.ts";
import type { FaultKind } from "./kinds.ts";
import type { Round } from "./round.ts";

/** Faults of the network, between a gateway and Redis or between a gateway and its clients. */
export const networkFaults: readonly FaultKind[] = [
  ...(["up", "down", undefined] as const).map(
    (direction): FaultKind => ({
      name: `redis out of reach of one gateway, ${wayOf(direction)}`,
      stage: "durable",
      rounds: 15,
      strike: async (round) => {
        const seat = round.eitherSeat();
        seat.redisSide.pause(direction);
        await pause(500 + 1500 * round.random());
        // Half the time what waited is lost, as in a network that comes back by other ways.
        if (round.random() < 0.5) seat.redisSide.cut();
        seat.redisSide.resume(direction);
        await round.recovers();
      },
    }),
  ),
  ...(["up", "down", undefined] as const).map(
    (direction): FaultKind => ({
      name: `clients out of reach of one gateway, ${wayOf(direction)}`,
      stage: "durable",
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
    name: "connections to redis cut and refused for a while",
    stage: "durable",
    rounds: 20,
    strike: async (round) => {
      const seat = round.eitherSeat();
      seat.redisSide.refuse(true);
      seat.redisSide.cut();
      await pause(300 + 700 * round.random());
      seat.redisSide.refuse(false);
      await round.recovers();
    },
  },
  {
    name: "subscriptions to watched channels stall",
    stage: "durable",
    rounds: 5,
    strike: (round) =>
      stallSubscriptions(
        round,
        (opening) => /\r\nsubscribe\r\n/i.test(opening) && opening.includes("{analysis:"),
      ),
  },
  {
    name: "subscriptions to workers stall",
    stage: "durable",
    rounds: 5,
    strike: (round) => stallSubscriptions(round, (opening) => /\r\npsubscribe\r\n/i.test(opening)),
  },
];

/** One connection of a gateway stays up and delivers nothing any more, until the gateway makes another. */
async function stallSubscriptions(round: Round, isMeant: (opening: string) => boolean): Promise<void> {
  const { redisSide } = round.eitherSeat();
  const meant = () => redisSide.connections.filter(({ opening }) => isMeant(opening));
  const stalled = new Set(meant());
  if (stalled.size === 0) throw new Error("nobody subscribed");
  for (const connection of stalled) connection.pause("down");
  const since = performance.now();
  while (meant().every((connection) => stalled.has(connection))) {
    if (performance.now() - since > 12_000) {
      round.faults.push({ name: "not_converged", what: "stalled for 12 s, and not found" });
      break;
    }
    await pause(50);
  }
  round.notes.push(`found after ${((performance.now() - since) / 1000).toFixed(1)} s`);
  round.afterwards(async () => {
    for (const connection of stalled) connection.cut();
  });
  await round.recovers();
}

function wayOf(direction: Direction | undefined): string {
  if (direction === undefined) return "both ways";
  return direction === "up" ? "nothing sent" : "nothing heard";
}
