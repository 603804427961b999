import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import type { Subprocess } from "bun";
import { eventually } from "../../src/testing/eventually.ts";
import { remember } from "./children.ts";
import { freePort } from "./free-port.ts";
import { programPath } from "./needs.ts";

/** A NATS of this test file alone, on loopback, with JetStream in a folder of its own. */
export interface RunningNats {
  readonly host: string;
  readonly port: number;
  /** `host:port`, as the adapters' `target.servers` has it. */
  readonly address: string;
  /** `nats://host:port`. */
  readonly url: string;
  /** The process id of the server, for signals. */
  readonly pid: number | undefined;
  /** Ends it for good and removes what it wrote. */
  stop(): Promise<void>;
  /** Ends it at once. */
  kill9(): Promise<void>;
  /** Starts it on the same port with what it kept. Ends it first if it runs. */
  restart(): Promise<void>;
  /** Stops it from doing anything, without ending it. */
  freeze(): void;
  thaw(): void;
  /** Notes what it keeps now. Ends and restarts it for that. */
  saveStore(): Promise<void>;
  /** Puts back what it kept at `saveStore`, as after a backup. Ends and restarts it. */
  restoreStore(): Promise<void>;
}

export interface NatsOptions {
  /** More lines of its configuration file. */
  readonly config?: string;
  /** Without it the server has no JetStream. Default: true. */
  readonly jetstream?: boolean;
  /** More members of the section `jetstream`, one a line. */
  readonly limits?: string;
  /** The user that the tests' own connections use. */
  readonly user?: { readonly user: string; readonly pass: string };
}

/** Starts a NATS and resolves when it answers. */
export async function startNats(options: NatsOptions = {}): Promise<RunningNats> {
  const nats = new LocalNats(await freePort(), await mkdtemp(join(tmpdir(), "telltale-nats-")), options);
  try {
    await nats.start();
    return nats;
  } catch (error) {
    await nats.stop();
    throw error;
  }
}

class LocalNats implements RunningNats {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly #directory: string;
  readonly #options: NatsOptions;
  #process: Subprocess | undefined;

  constructor(port: number, directory: string, options: NatsOptions) {
    this.port = port;
    this.#directory = directory;
    this.#options = options;
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }

  get url(): string {
    return `nats://${this.address}`;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async start(): Promise<void> {
    const { config = "", jetstream = true, limits = "" } = this.#options;
    const store = `jetstream {\n store_dir: "${this.#store}"\n${limits}\n}`;
    const file = join(this.#directory, "nats.conf");
    const lines = [`host: "${this.host}"`, `port: ${this.port}`, jetstream ? store : "", config];
    await writeFile(file, lines.join("\n"));
    const child = Bun.spawn([programPath("nats-server"), "-c", file], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    this.#process = child;
    remember(child);
    await Promise.race([this.#untilItAnswers(), child.exited.then(failedToStart)]);
  }

  async stop(): Promise<void> {
    // A server that a test froze does not see SIGTERM.
    await this.#end("SIGKILL");
    await rm(this.#directory, { recursive: true, force: true });
  }

  kill9(): Promise<void> {
    return this.#end("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.#end("SIGTERM");
    await this.start();
  }

  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async saveStore(): Promise<void> {
    await this.#end("SIGTERM");
    await rm(this.#saved, { recursive: true, force: true });
    await cp(this.#store, this.#saved, { recursive: true });
    await this.start();
  }

  async restoreStore(): Promise<void> {
    await this.#end("SIGKILL");
    await rm(this.#store, { recursive: true, force: true });
    await cp(this.#saved, this.#store, { recursive: true });
    await this.start();
  }

  get #store(): string {
    return join(this.#directory, "store");
  }

  get #saved(): string {
    return join(this.#directory, "saved");
  }

  async #untilItAnswers(): Promise<void> {
    const { user = {}, jetstream = true } = this.#options;
    await eventually("the NATS of the tests answers", async () => {
      try {
        const connection = await connect({
          servers: this.address,
          reconnect: false,
          timeout: 1_000,
          ...user,
        });
        const serves = !jetstream || connection.info?.jetstream === true;
        await connection.close();
        return serves;
      } catch {
        return false;
      }
    });
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    // A frozen process would keep SIGTERM until it goes on.
    if (signal === "SIGTERM") this.thaw();
    this.#process?.kill(signal);
    await this.#process?.exited;
    this.#process = undefined;
  }
}

function failedToStart(code: number): never {
  throw new Error(`nats-server ended with code ${code} before it answered`);
}
