import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Subprocess } from "bun";
import type { AnalysisEvent } from "../../src/domain/analysis-event.ts";
import { type AnalysisState, emptyState, fold } from "../../src/domain/analysis-state.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { remember } from "../support/children.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import { PYTHON } from "../support/video-worker.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

// Celery's own start takes seconds on a busy machine.
setDefaultTimeout(90_000);

const able = [needs("celery"), needs("redis-server")].every(Boolean);
const folder = new URL("careless-worker", import.meta.url).pathname;

interface Ending {
  readonly task: string;
  /** The state of the analysis in the end, for readers and for watchers. */
  readonly state: object;
  /** The events that a watcher was sent: stages, else error codes, else types. */
  readonly told: readonly string[];
  /** The fields of the first of them that its serializer wrote in a way of its own. */
  readonly first?: object;
}

const ENDINGS: readonly Ending[] = [
  {
    task: "gives_up",
    state: { status: "failed", error: { error_code: "ConnectionError" } },
    told: ["initializing", "ConnectionError", "initializing", "frame_extraction", "ConnectionError"],
  },
  {
    task: "succeeds_at_last",
    state: { status: "completed", error: null, result: { is_fake: false } },
    told: [
      "initializing",
      "frame_extraction",
      "ConnectionError",
      "initializing",
      "frame_extraction",
      "result_update",
    ],
  },
  {
    task: "is_killed",
    state: { status: "completed", result: { is_fake: false } },
    told: [
      "initializing",
      "frame_extraction",
      "initializing",
      "frame_extraction",
      "model_inference",
      "result_update",
    ],
  },
  {
    task: "asserts",
    state: { status: "failed", error: { error_code: "AssertionError", error_message: "AssertionError" } },
    told: ["initializing", "AssertionError"],
  },
  {
    task: "times_out",
    state: { status: "failed", error: { error_code: "TimeoutError", error_message: "TimeoutError" } },
    told: ["initializing", "TimeoutError"],
  },
  {
    task: "adds_up",
    state: { status: "completed", progress: 1, result: { confidence_score: 1 } },
    told: [...Array(100).fill("model_inference"), "result_update", "completed"],
  },
  {
    task: "finds_nothing",
    state: {
      status: "failed",
      error: {
        error_code: "event_refused",
        error_details: { event_type: "result_update", issues: [{ path: ["confidence_score"] }] },
      },
    },
    told: ["model_inference", "event_refused"],
  },
  {
    task: "serialises_with_kombu",
    state: { status: "completed", estimated_completion: null },
    first: { estimated_completion: "2026-11-24T03:27:22.5Z" },
    told: ["initializing", "result_update"],
  },
  {
    task: "writes_repr",
    state: { status: "failed", error: { error_code: "event_refused" } },
    told: ["initializing", "event_refused"],
  },
];

describe.skipIf(!able)("a careless Celery application", () => {
  let redis: RunningRedis;
  let gateways: GatewayProcess[];
  let celery: Subprocess;
  const watched = new Map<string, Promise<{ id: string; socket: WatchingSocket }>>();

  beforeAll(async () => {
    redis = await startRedis();
    const env = { REDIS_URL: redis.url };
    // Both hear every message: a repeat that is none must be an event, and no event may be two.
    gateways = await Promise.all([startGateway(env), startGateway(env)]);
    celery = Bun.spawn(
      [PYTHON, "-B", "-m", "celery", "--quiet", "--app", "careless", "worker", "--concurrency", "1"],
      { cwd: folder, env: { ...env, PATH: process.env.PATH ?? "" }, stdout: "ignore", stderr: "ignore" },
    );
    remember(celery);
    for (const { task } of ENDINGS) watched.set(task, watch());
    const queue = await Promise.all(
      ENDINGS.map(async ({ task }) => [task, (await watched.get(task))?.id] as const),
    );
    const enqueued = Bun.spawn([PYTHON, "-B", "careless.py", JSON.stringify(queue)], { cwd: folder, env });
    expect(await enqueued.exited).toBe(0);
  });
  afterAll(async () => {
    celery?.kill("SIGTERM");
    await celery?.exited;
    await Promise.all(gateways?.map((gateway) => gateway.stop()) ?? []);
    await redis?.stop();
  });

  async function watch() {
    const id = crypto.randomUUID();
    const socket = new WatchingSocket(watchUrl(gateways[0]?.url ?? "", id, { token: await tokenFor() }));
    await socket.established();
    return { id, socket };
  }

  async function read(id: string): Promise<AnalysisState> {
    const headers = { Authorization: `Bearer ${await tokenFor()}` };
    return (await (
      await fetch(`${gateways[1]?.url}/v1/analyses/${id}`, { headers })
    ).json()) as AnalysisState;
  }

  test.each(ENDINGS)(
    "$task: whoever reads and whoever watches has the right end",
    async ({ task, state, told, first = {} }) => {
      const { id, socket } = (await watched.get(task)) as { id: string; socket: WatchingSocket };
      const events = () => socket.events as unknown as AnalysisEvent[];
      await eventually(
        () => `${task} is told as ${told.join(", ")}, not ${events().map(nameOf).join(", ")}`,
        async () => events().length >= told.length,
      );
      expect(events().map(nameOf)).toEqual([...told]);
      expect(events()[0]).toMatchObject(first);
      const seen = events().reduce(fold, emptyState(id));
      expect(seen).toMatchObject(state);
      expect(await read(id)).toEqual(seen);
      await socket.leave();
    },
  );
});

function nameOf(event: AnalysisEvent): string {
  if (event.event_type === "status_update") return event.current_stage;
  return event.event_type === "error" ? event.error_code : event.event_type;
}
