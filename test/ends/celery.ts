import { join } from "node:path";
import { Redis } from "ioredis";
import { type RunningRedis, startRedis } from "../support/redis-server.ts";
import type { Deployment } from "./deployment.ts";
import type { PlannedRun } from "./plan.ts";
import { type ProcessGroup, startGroup } from "./process-group.ts";

export type Pool = "prefork" | "threads";

export const PYTHON = "/usr/bin/python3";
const root = join(import.meta.dir, "../..");
export const workersFolder = join(import.meta.dir, "workers");
export const PYTHON_PATH = `${join(root, "clients/python")}:${workersFolder}`;
const TASKS_AT_ONCE = 8;

/** A queue of Celery on a Redis of its own, its workers, and a process that sends tasks to it. */
export class CeleryQueue {
  readonly #redis: RunningRedis;
  readonly #folder: string;
  readonly #sender: ReturnType<typeof startGroup>;
  readonly #answers: AsyncIterator<Uint8Array>;
  readonly #workers = new Map<string, Promise<ProcessGroup>>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(redis: RunningRedis, folder: string) {
    this.#redis = redis;
    this.#folder = folder;
    this.#sender = startGroup([PYTHON, "-B", join(workersFolder, "queue_of_tasks.py")], {
      cwd: folder,
      env: this.#env,
      stdin: "pipe",
    });
    this.#answers = (this.#sender.child.stdout as unknown as AsyncIterable<Uint8Array>)[
      Symbol.asyncIterator
    ]();
  }

  static async start(folder: string): Promise<CeleryQueue> {
    return new CeleryQueue(await startRedis(), folder);
  }

  /** The worker that takes from `queue`; starts it if there is none. */
  async worker(pool: Pool, queue: string, deployment: Deployment): Promise<ProcessGroup> {
    const known = this.#workers.get(queue);
    if (known !== undefined) return known;
    const words = ["-P", pool, "-c", `${TASKS_AT_ONCE}`, "-Q", queue, "-n", `${queue}@%h`, "-l", "warning"];
    const quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"];
    const starting = deployment.env().then((env) =>
      startGroup([PYTHON, "-B", "-m", "celery", "-A", "tasks", "worker", ...words, ...quiet], {
        cwd: this.#folder,
        env: { ...this.#env, ...env },
      }),
    );
    this.#workers.set(queue, starting);
    return starting;
  }

  send(queue: string, task: "early" | "late", { plan }: PlannedRun): Promise<void> {
    return this.#do({ do: "send", queue, task, plan, task_id: plan.analysis_id });
  }

  /** With `terminate`, as an operator does. */
  revoke(taskId: string): Promise<void> {
    return this.#do({ do: "revoke", task_id: taskId });
  }

  /** Kills the worker, lets the hour pass after which Redis gives its tasks to another, and starts that. */
  async replaceWorker(pool: Pool, queue: string, deployment: Deployment): Promise<void> {
    await (await this.worker(pool, queue, deployment)).kill();
    const client = new Redis(this.#redis.url);
    try {
      for (const [tag, message] of Object.entries(await client.hgetall("unacked"))) {
        if (message.includes(queue)) await client.zadd("unacked_index", 0, tag);
      }
    } finally {
      client.disconnect();
    }
    this.#workers.delete(queue);
    await this.worker(pool, queue, deployment);
  }

  async stop(): Promise<void> {
    const workers = await Promise.all(this.#workers.values());
    await Promise.all([...workers, this.#sender].map((group) => group.kill()));
    await this.#redis.stop();
  }

  /** One after the other, since each is answered by one line. */
  #do(order: object): Promise<void> {
    const done = this.#last.then(async () => {
      const { stdin } = this.#sender.child;
      (stdin as unknown as { write(text: string): void; flush(): void }).write(`${JSON.stringify(order)}\n`);
      (stdin as unknown as { flush(): void }).flush();
      const { done } = await this.#answers.next();
      if (done) throw new Error(`the queue's sender ended:\n${this.#sender.output()}`);
    });
    this.#last = done.catch(() => {});
    return done;
  }

  get #env(): Record<string, string> {
    return { PYTHONPATH: PYTHON_PATH, CELERY_URL: this.#redis.url, PYTHONDONTWRITEBYTECODE: "1" };
  }
}
