import { setTimeout as pause } from "node:timers/promises";
import type { FaultKind } from "./kinds.ts";
import type { Round } from "./round.ts";

/** Faults of the primary, if there is a replica. */
export const failoverFaults: readonly FaultKind[] = [
  {
    name: "primary killed, replica promoted, acknowledged by both",
    stage: "replicated",
    rounds: 12,
    strike: async (round) => {
      const { stage } = round;
      const from = performance.now() - LAST_MOMENT_MS;
      // The commands for the replica wait in the network from now on, and are lost there.
      stage.replicaSide?.pause("down");
      await pause(100 + 400 * round.random());
      await stage.broker.kill9();
      stage.replicaSide?.cut();
      const old = await stage.promoteReplica();
      everybodyTo(round);
      // Only HTTP waits for the replica. Events that workers gave to Redis alone may have gone with it.
      round.excuse({ from, to: performance.now(), lanes: ["bare", "inbox"], storedWasLost: true });
      await old.stop();
      await stage.addReplica();
      await round.recovers();
    },
  },
  {
    name: "both primaries written to",
    stage: "unguarded",
    rounds: 12,
    strike: async (round) => {
      const { stage } = round;
      const [, moved] = stage.seats;
      const from = performance.now() - LAST_MOMENT_MS;
      const old = await stage.promoteReplica();
      moved.brokerSide.retarget(stage.broker);
      moved.brokerSide.cut();
      // The other still writes to the old one, and is believed.
      await pause(1_000 + 1_000 * round.random());
      everybodyTo(round);
      round.excuse({ from, to: performance.now(), storedWasLost: true });
      await old.stop();
      await stage.addReplica();
      await round.recovers();
    },
  },
];

/** An event that was acknowledged just before may not have reached the replica if nobody waits for it. */
const LAST_MOMENT_MS = 1_000;

function everybodyTo({ stage }: Round): void {
  for (const proxy of [stage.workerSide, ...stage.seats.map((seat) => seat.brokerSide)]) {
    proxy.retarget(stage.broker);
    proxy.cut();
  }
}
