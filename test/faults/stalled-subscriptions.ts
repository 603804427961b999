import { setTimeout as pause } from "node:timers/promises";
import type { Round } from "./round.ts";

/** One connection of a gateway stays up and delivers nothing any more, until the gateway makes another. */
export async function stallSubscriptions(round: Round, isMeant: (opening: string) => boolean): Promise<void> {
  const { brokerSide } = round.eitherSeat();
  const meant = () => brokerSide.connections.filter(({ opening }) => isMeant(opening));
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
