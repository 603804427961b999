import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Redis } from "ioredis";
import { remember } from "./children.ts";
import { freePort } from "./free-port.ts";
import { programPath } from "./needs.ts";
import { untilRedisAnswers } from "./redis-server.ts";
import type { Address } from "./staged-broker.ts";

const LOG = "sentinel.log";
/** The name of the primary among the sentinels of the tests. */
export const PRIMARY = "main";
/** Sentinels look, speak and calm down in less time than their own 10, 2 and 30 s. In milliseconds. */
const PERIODS = ["info-period", "500", "publish-period", "250", "tilt-period", "1000"];

/** One sentinel on loopback. */
export class Sentinel {
  readonly port: number;
  readonly #folder: string;
  readonly #client: Redis;
  #process: Subprocess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
    this.#client = new Redis({ port, enableReadyCheck: false, lazyConnect: true, retryStrategy: () => 20 });
    this.#client.on("error", () => {});
  }

  static async start(primary: Address): Promise<Sentinel> {
    const sentinel = new Sentinel(await freePort(), await mkdtemp(join(tmpdir(), "telltale-sentinel-")));
    const lines = [
      ...["bind 127.0.0.1", `port ${sentinel.port}`, `dir ${sentinel.#folder}`, `logfile ${LOG}`],
      `sentinel monitor ${PRIMARY} ${primary.host} ${primary.port} 2`,
      `sentinel down-after-milliseconds ${PRIMARY} 1000`,
      `sentinel failover-timeout ${PRIMARY} 2000`,
    ];
    await writeFile(sentinel.#file, `${lines.join("\n")}\n`);
    await sentinel.startAgain();
    return sentinel;
  }

  /** Whether its process was started and not killed. */
  get runs(): boolean {
    return this.#process !== undefined;
  }

  /** With what it knew: it writes its file anew whenever it learns something. */
  async startAgain(): Promise<void> {
    this.#process = Bun.spawn([programPath("redis-server"), this.#file, "--sentinel"], {
      ...{ stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    });
    remember(this.#process);
    await untilRedisAnswers(this.port);
    await this.ask("DEBUG", ...PERIODS);
  }

  async kill9(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    process?.kill("SIGKILL");
    await process?.exited;
  }

  /** The answer, its parts joined by commas. */
  async ask(...words: readonly string[]): Promise<string> {
    return String(await this.#client.call("SENTINEL", ...words));
  }

  log(): Promise<string> {
    return readFile(join(this.#folder, LOG), "utf8");
  }

  /** New clients are asked for this password from now on; for none if it is undefined. */
  async demand(password: string | undefined): Promise<void> {
    const rules = password === undefined ? ["nopass"] : ["resetpass", `>${password}`];
    await this.#client.call("ACL", "SETUSER", "default", ...rules);
  }

  async stop(): Promise<void> {
    this.#client.disconnect();
    await this.kill9();
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#folder, "sentinel.conf");
  }
}
