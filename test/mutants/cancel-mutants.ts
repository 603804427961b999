import type { Mutant } from "./mutants.ts";

const IN_DOMAIN = {
  killers: ["test/contract/in-memory-broker.test.ts"],
  test: "PubSubPort on memory",
} as const;
const ON_REDIS = { killers: ["test/integration/redis-pub-sub.test.ts"], needs: "redis-server" } as const;

/** Breakages of requests to cancel, of the silence of workers, and of the end of abandoned analyses. */
export const CANCEL_MUTANTS: readonly Mutant[] = [
  {
    name: "takes the heartbeat of a run that another has replaced for a sign of life",
    file: "src/adapters/memory/in-memory-pub-sub.ts",
    find: "if (kept?.isSuperseded(attemptId) === true) return {};",
    replace: "",
    killers: ["test/unit/adapters/http/cancelling.test.ts"],
  },
  {
    name: "cancels an analysis of stage completed",
    file: "src/domain/current-run.ts",
    find: ' || stages.at(-1)?.stage === "completed"',
    replace: "",
    ...IN_DOMAIN,
  },
  {
    name: "takes the oldest kept stage for the beginning of the run",
    file: "src/domain/current-run.ts",
    find: "(stages.length >= STAGE_MARKS_KEPT || kept.begunAt === begunAt)",
    replace: "kept.begunAt === begunAt",
    ...IN_DOMAIN,
  },
  {
    name: "ends a request of the queue with the first attempt",
    file: "src/domain/current-run.ts",
    find: 'if (last?.stage !== "queued") return',
    replace: "if (last !== undefined) return",
    ...IN_DOMAIN,
  },
  {
    name: "tells the next attempt of a request that came before the queue",
    file: "src/domain/current-run.ts",
    find: "stages.length === 1 ? run.since : last.offset",
    replace: "run.since",
    ...IN_DOMAIN,
  },
  {
    name: "estimates an end of what has ended",
    file: "src/domain/analysis-state.ts",
    find: "    ...(isEnd(status) && { estimated_completion: null }),\n",
    replace: "",
    killers: ["test/unit/domain/analysis-state.test.ts"],
  },
  {
    name: "Redis: keeps a request longer than its channel",
    file: "src/adapters/redis/scripts/request-cancel.lua",
    find: "if ttl <= 0 then ttl",
    replace: "if ttl then ttl",
    ...ON_REDIS,
    test: "CAN-8",
  },
  {
    name: "Redis: revives a request on another life of the counter",
    file: "src/adapters/redis/scripts/answer-with-cancel.lua",
    find: "if kept and (is_of_before or cancel_is_over(",
    replace: "if kept and (cancel_is_over(",
    ...ON_REDIS,
    test: "CAN-8",
  },
  {
    name: "tells that a worker obeyed a request that was for another run",
    file: "src/domain/analysis-state.ts",
    find: 'status === "cancelled" && !isOtherRun ?',
    replace: 'status === "cancelled" ?',
    killers: ["test/unit/domain/analysis-state.test.ts"],
  },
  {
    name: "Redis: forgets who had asked for the end",
    file: "src/adapters/redis/scripts/answer-with-cancel.lua",
    find: "elseif is_of_before or not is_of_run(kept, record, offset) then",
    replace: "elseif kept then",
    ...ON_REDIS,
    test: "PS-45",
  },
  {
    name: "ends an abandoned analysis without the key that makes one error of all tries",
    file: "src/application/end-abandoned.ts",
    find: "const name = `worker_lost ",
    replace: "const name = Math.random() + `worker_lost ",
    killers: ["test/unit/application/end-abandoned.test.ts"],
  },
];
