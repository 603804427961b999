import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPublisherForNode } from "../support/publisher-for-node.ts";
import { CeleryQueue, workersFolder } from "./celery.ts";
import { Deployment } from "./deployment.ts";
import type { Lengths } from "./lengths.ts";
import { killGroups } from "./process-group.ts";

/** `whole`: nothing but workers fails. `abandoning`: its gateway ends what is abandoned. */
export type DeploymentName = "whole" | "abandoning" | "without its gateway" | "without its Redis";

/** All servers of the table. */
export class Bench {
  readonly folder: string;
  /** The publisher as Node users have it, with the worker that uses it. */
  readonly publisherFolder: string;
  readonly lengths: Lengths;
  readonly celery: CeleryQueue;
  readonly #deployments: Readonly<Record<DeploymentName, Deployment>>;

  private constructor(
    folder: string,
    lengths: Lengths,
    celery: CeleryQueue,
    deployments: Readonly<Record<DeploymentName, Deployment>>,
  ) {
    this.folder = folder;
    this.publisherFolder = join(folder, "publisher");
    this.lengths = lengths;
    this.celery = celery;
    this.#deployments = deployments;
  }

  static async open(lengths: Lengths): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), "telltale-ends-"));
    await buildPublisher(join(folder, "publisher"));
    const [celery, whole, abandoning, gateway, redis] = await Promise.all([
      CeleryQueue.start(folder),
      Deployment.start(lengths),
      Deployment.start(lengths, { abandons: true }),
      Deployment.start(lengths),
      Deployment.start(lengths),
    ]);
    const deployments = { whole, abandoning, "without its gateway": gateway, "without its Redis": redis };
    return new Bench(folder, lengths, celery, deployments);
  }

  deployment(name: DeploymentName): Deployment {
    return this.#deployments[name];
  }

  async close(): Promise<void> {
    killGroups();
    await Promise.all([
      this.celery.stop(),
      ...Object.values(this.#deployments).map((deployment) => deployment.stop()),
    ]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function buildPublisher(folder: string): Promise<void> {
  await mkdir(folder);
  await buildPublisherForNode(folder);
  await copyFile(join(workersFolder, "worker.mjs"), join(folder, "worker.mjs"));
}
