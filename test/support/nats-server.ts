import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, credsAuthenticator } from "@nats-io/transport-node";
import type { Subprocess } from "bun";
import { eventually } from "../../src/testing/eventually.ts";
import { remember } from "./children.ts";
import { freePort } from "./free-port.ts";
import { needs, programPath } from "./needs.ts";
import { stopProcess } from "./stop-process.ts";

/** A NATS of this test file alone, on loopback, with JetStream in a folder of its own. */
export interface RunningNats {
  readonly host: string;
  readonly port: number;
  /** `host:port`, as the adapters' `target.servers` has it. */
  readonly address: string;
  /** `nats://host:port`. */
  readonly url: string;
  /** The process id of the server, for signals; undefined if it runs in a container. */
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
  /** Ends it at once, and restarts it with nothing, as on a new disk. */
  loseStore(): Promise<void>;
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
  /** The credentials of the tests' own connections, as `NatsTarget` has them. */
  readonly credentials?: string;
  /** The certificates with which the tests' own connections go over TLS. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string };
}

/** A `nats-server` that runs. */
export interface NatsProcess {
  readonly pid: number | undefined;
  kill(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void;
  /** Resolves with its exit code. */
  readonly exited: Promise<number>;
}

/**
 * Starts a NATS and resolves when it answers: a local `nats-server`, or a container with TELLTALE_TEST_NATS=container or if
 * only a Docker engine is there.
 */
export async function startNats(options: NatsOptions = {}): Promise<RunningNats> {
  const inContainer = process.env.TELLTALE_TEST_NATS === "container" || !needs("nats-server");
  const directory = await mkdtemp(join(tmpdir(), "telltale-nats-"));
  const nats = new OneNats(await freePort(), directory, options, inContainer);
  try {
    await nats.start();
    return nats;
  } catch (error) {
    await nats.stop();
    throw error;
  }
}

class OneNats implements RunningNats {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly #directory: string;
  readonly #options: NatsOptions;
  readonly #inContainer: boolean;
  #process: NatsProcess | undefined;

  constructor(port: number, directory: string, options: NatsOptions, inContainer: boolean) {
    this.port = port;
    this.#directory = directory;
    this.#options = options;
    this.#inContainer = inContainer;
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
    const host = this.#inContainer ? "0.0.0.0" : this.host;
    const lines = [`host: "${host}"`, `port: ${this.port}`, jetstream ? store : "", config];
    await writeFile(file, lines.join("\n"));
    const child = await this.#startProcess(file);
    this.#process = child;
    await Promise.race([this.#untilItAnswers(), child.exited.then(failedToStart)]);
  }

  async #startProcess(file: string): Promise<NatsProcess> {
    if (this.#inContainer) {
      // Loaded only here, because it costs every other test file half a second.
      const { startNatsContainer } = await import("./nats-container.ts");
      return startNatsContainer(this.port, file);
    }
    const child: Subprocess = Bun.spawn([programPath("nats-server"), "-c", file], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    remember(child);
    return child;
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
    if (this.pid === undefined) this.#process?.kill("SIGSTOP");
    else stopProcess(this.pid);
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

  async loseStore(): Promise<void> {
    await this.#end("SIGKILL");
    await rm(this.#store, { recursive: true, force: true });
    await this.start();
  }

  get #store(): string {
    return join(this.#directory, "store");
  }

  get #saved(): string {
    return join(this.#directory, "saved");
  }

  async #untilItAnswers(): Promise<void> {
    const { user = {}, jetstream = true, tls, credentials } = this.#options;
    await eventually("the NATS of the tests answers", async () => {
      try {
        const connection = await connect({
          servers: this.address,
          reconnect: false,
          timeout: 1_000,
          ...user,
          ...(tls !== undefined && { tls }),
          ...(credentials !== undefined && {
            authenticator: credsAuthenticator(new TextEncoder().encode(credentials)),
          }),
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
