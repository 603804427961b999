import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programPath } from "../support/needs.ts";
import type { DockerEngine } from "./docker-engine.ts";

/** Settings of a test that replace those of a service in `compose.yaml`. */
export interface Replacement {
  readonly image: string;
  readonly entrypoint?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: Readonly<Record<string, unknown>>;
}

/** `compose.yaml` under a name of its own, with its secrets made as users make them, and other images. */
export class ComposeProject {
  readonly #engine: DockerEngine;
  readonly #root: string;
  readonly #folder: string;
  readonly #name: string;

  private constructor(engine: DockerEngine, root: string, folder: string, name: string) {
    this.#engine = engine;
    this.#root = root;
    this.#folder = folder;
    this.#name = name;
  }

  static async prepare(
    engine: DockerEngine,
    root: string,
    name: string,
    services: Readonly<Record<string, Replacement>>,
  ): Promise<ComposeProject> {
    const folder = await mkdtemp(join(tmpdir(), "telltale-compose-"));
    await writeFile(join(folder, "replaced.json"), JSON.stringify({ services }));
    const project = new ComposeProject(engine, root, folder, name);
    await project.#run(["sh", "deploy/compose/make-secrets.sh", join(folder, "secrets")]);
    return project;
  }

  /** Standard output, trimmed, of `docker-compose` with these words. Throws with all that it said if it fails. */
  compose(...words: readonly string[]): Promise<string> {
    const files = ["compose.yaml", join(this.#folder, "replaced.json")].flatMap((file) => ["--file", file]);
    return this.#run([programPath("docker-compose"), "--project-name", this.#name, ...files, ...words]);
  }

  /** Standard output, trimmed, of a line for a shell in which `docker compose exec SERVICE …` means this project. */
  shell(line: string): Promise<string> {
    const exec = `docker() { container=${this.#name}_$3_1; shift 3; command docker exec "$container" "$@"; }`;
    return this.#run(["sh", "-c", `${exec}\n${line}`]);
  }

  /** The text of a file that make-secrets.sh made. */
  secret(name: string): Promise<string> {
    return Bun.file(join(this.#folder, "secrets", name)).text();
  }

  /** The name that the engine has for the only container of a service. */
  container(service: string): string {
    return `${this.#name}_${service}_1`;
  }

  /** Ends and removes everything of it, volumes included. */
  async remove(): Promise<void> {
    await this.compose("down", "--volumes", "--timeout", "5");
    await rm(this.#folder, { recursive: true });
  }

  async #run(command: readonly string[]): Promise<string> {
    const child = Bun.spawn([...command], {
      cwd: this.#root,
      env: {
        PATH: process.env.PATH,
        ...(this.#engine.host !== undefined && { DOCKER_HOST: this.#engine.host }),
        SECRETS_FOLDER: join(this.#folder, "secrets"),
        // Free ones.
        HTTPS_PORT: "0",
        GRAFANA_PORT: "0",
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [output, complaint] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}\n${output}${complaint}`);
    return output.trim();
  }
}
