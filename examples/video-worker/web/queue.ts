/** Puts an analysis on the worker's queue; rejects when it is not there. */
export type Enqueue = (analysisId: string, path: string) => Promise<void>;

export interface QueueSettings {
  /** A Python that can import celery and redis. */
  readonly python: string;
  /** Where the package `worker` lies. */
  readonly folder: string;
  readonly redisUrl: string;
  /** Variables by which that Python finds its packages. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Enqueues by a short-lived Python process. Celery's message format could be written to Redis from here in a few
 * lines, but it is Celery's own affair and changes with it; a third of a second for each upload is a small price.
 */
export function celeryQueue({ python, folder, redisUrl, env }: QueueSettings): Enqueue {
  return async (analysisId, path) => {
    const child = Bun.spawn([python, "-m", "worker.enqueue", analysisId, path], {
      cwd: folder,
      env: { ...process.env, ...env, REDIS_URL: redisUrl },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      timeout: 20_000,
    });
    const [complaint, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    if (code !== 0)
      throw new Error(`enqueuing ended with ${code}: ${complaint.trim().split("\n").at(-1) ?? ""}`);
  };
}
