import { StagedPostgres } from "../support/staged-postgres.ts";
import { A_MOMENT_MS, freezeAgainAndAgain } from "./broker-faults.ts";
import type { FaultKind } from "./kinds.ts";
import type { Round } from "./round.ts";

const ALWAYS = Number.NEGATIVE_INFINITY;

/** Faults that only PostgreSQL has. */
export const postgresFaults: readonly FaultKind[] = [
  {
    name: "postgres: lost tail, restarted with older data",
    stage: "postgres",
    rounds: 20,
    strike: async (round) => {
      const { server } = postgresOf(round);
      const from = performance.now() - A_MOMENT_MS;
      await server.saveStore();
      await round.stage.untilReady();
      await round.untilSeen(5);
      await server.restoreStore();
      round.excuse({ from, to: performance.now(), storedWasLost: true });
      await round.recovers();
    },
  },
  {
    name: "postgres: connections ended by an administrator",
    stage: "postgres",
    rounds: 30,
    strike: async (round) => {
      await postgresOf(round).ask(
        (sql) =>
          sql`select pg_terminate_backend(pid) from pg_stat_activity
              where backend_type = 'client backend' and pid <> pg_backend_pid()`,
      );
      await round.recovers();
    },
  },
  {
    name: "postgres: events and counters deleted",
    stage: "postgres",
    rounds: 15,
    strike: async (round) => {
      await postgresOf(round).ask((sql) => sql`delete from telltale.channels`);
      round.excuse({ from: ALWAYS, to: performance.now(), storedWasLost: true });
      await round.recovers();
    },
  },
  {
    name: "postgres: server frozen for a moment, again and again",
    stage: "postgres",
    rounds: 25,
    strike: freezeAgainAndAgain,
  },
];

function postgresOf({ stage: { broker } }: Round): StagedPostgres {
  if (broker instanceof StagedPostgres) return broker;
  throw new Error("this is no stage of PostgreSQL");
}
