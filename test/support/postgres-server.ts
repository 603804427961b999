import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chown, cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import postgres from "postgres";
import { eventually } from "../../src/testing/eventually.ts";
import { remember } from "./children.ts";
import { freePort } from "./free-port.ts";
import { postgresFolder } from "./needs.ts";

/** A PostgreSQL of this test file alone, on loopback, with its data in a folder of its own. */
export interface RunningPostgres {
  readonly host: string;
  readonly port: number;
  /** `postgres://postgres@host:port/postgres`. */
  readonly url: string;
  /** Its processes now. The first is the parent of the others. */
  pids(): readonly number[];
  /** Ends it for good and removes what it wrote. */
  stop(): Promise<void>;
  /** Ends it and all its processes at once. */
  kill9(): Promise<void>;
  /** Starts it on the same port with what it kept. Ends it first if it runs. */
  restart(): Promise<void>;
  /** Stops all its processes from doing anything, without ending them. */
  freeze(): void;
  thaw(): void;
  /** Notes what it keeps now. Ends and restarts it for that. */
  saveStore(): Promise<void>;
  /** Puts back what it kept at `saveStore`, as after a backup. Ends and restarts it. */
  restoreStore(): Promise<void>;
}

interface PostgresOptions {
  /** Whether commits reach the disk. The tests lose no machine, so by default they need not. */
  readonly fsync?: "on" | "off";
}

/** Starts a PostgreSQL and resolves when it answers. */
export async function startPostgres({ fsync = "off" }: PostgresOptions = {}): Promise<RunningPostgres> {
  const directory = await mkdtemp(join(tmpdir(), "telltale-postgres-"));
  const server = new LocalPostgres(await freePort(), directory, [`fsync=${fsync}`, ...SETTINGS]);
  try {
    await server.make();
    await server.start();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

const SETTINGS = ["max_connections=200", "shared_buffers=32MB", "unix_socket_directories="];

class LocalPostgres implements RunningPostgres {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly #directory: string;
  readonly #settings: readonly string[];
  #process: Subprocess | undefined;

  constructor(port: number, directory: string, settings: readonly string[]) {
    this.port = port;
    this.#directory = directory;
    this.#settings = settings;
  }

  get url(): string {
    return `postgres://postgres@${this.host}:${this.port}/postgres`;
  }

  pids(): readonly number[] {
    const pid = this.#process?.pid;
    return pid === undefined ? [] : [pid, ...childrenOf(pid)];
  }

  async make(): Promise<void> {
    const owner = ownerIds();
    if (owner !== undefined) await chown(this.#directory, owner.user, owner.group);
    const options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync"];
    const made = Bun.spawn([...asOwner(), program("initdb"), "-D", this.#data, ...options], {
      cwd: "/",
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    if ((await made.exited) !== 0) throw new Error(`initdb: ${await new Response(made.stderr).text()}`);
  }

  async start(): Promise<void> {
    const settings = [...this.#settings, `listen_addresses=${this.host}`].flatMap((one) => ["-c", one]);
    const command = [program("postgres"), "-D", this.#data, "-p", `${this.port}`, ...settings];
    const child = Bun.spawn([...asOwner(), ...command], {
      cwd: "/",
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    this.#process = child;
    remember(child);
    await Promise.race([this.#untilItAnswers(), child.exited.then(failedToStart)]);
  }

  async stop(): Promise<void> {
    await this.kill9();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async kill9(): Promise<void> {
    this.#signalAll("SIGKILL");
    await this.#process?.exited;
    this.#process = undefined;
  }

  async restart(): Promise<void> {
    await this.#shutDown();
    await this.start();
  }

  freeze(): void {
    this.#signalAll("SIGSTOP");
  }

  thaw(): void {
    this.#signalAll("SIGCONT");
  }

  async saveStore(): Promise<void> {
    await this.#shutDown();
    await rm(this.#saved, { recursive: true, force: true });
    await this.#copy(this.#data, this.#saved);
    await this.start();
  }

  async restoreStore(): Promise<void> {
    await this.kill9();
    await rm(this.#data, { recursive: true, force: true });
    await this.#copy(this.#saved, this.#data);
    await this.start();
  }

  get #data(): string {
    return join(this.#directory, "data");
  }

  get #saved(): string {
    return join(this.#directory, "saved");
  }

  /** Files keep their modes, and as root their owner is set again: the server refuses those of another. */
  async #copy(from: string, to: string): Promise<void> {
    await cp(from, to, { recursive: true, preserveTimestamps: true });
    const owner = ownerIds();
    if (owner === undefined) return;
    for (const path of ["", ...readdirSync(to, { recursive: true })])
      await chown(join(to, String(path)), owner.user, owner.group);
  }

  /** Ends connections and writes everything: SIGINT is its fast shutdown. */
  async #shutDown(): Promise<void> {
    this.thaw();
    this.#process?.kill("SIGINT");
    await this.#process?.exited;
    this.#process = undefined;
  }

  /** The postmaster first, so that it makes no more processes meanwhile. */
  #signalAll(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    const pid = this.#process?.pid;
    if (pid === undefined || this.#process?.exitCode !== null) return;
    const children = signal === "SIGKILL" ? childrenOf(pid) : [];
    send(pid, signal);
    for (const child of [...children, ...childrenOf(pid)]) send(child, signal);
  }

  async #untilItAnswers(): Promise<void> {
    await eventually("the PostgreSQL of the tests answers", async () => {
      const sql = postgres(this.url, { max: 1, connect_timeout: 1, backoff: () => 0.05 });
      try {
        await sql`select 1`;
        return true;
      } catch {
        return false;
      } finally {
        await sql.end({ timeout: 0 });
      }
    });
  }
}

function program(name: string): string {
  return join(postgresFolder() ?? "", name);
}

/** PostgreSQL does not run as root. */
function asOwner(): string[] {
  if (process.getuid?.() !== 0) return [];
  return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"];
}

function ownerIds(): { readonly user: number; readonly group: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((one) => one.startsWith("postgres:"));
  const [, , user, group] = line?.split(":") ?? [];
  if (user === undefined || group === undefined) throw new Error("there is no user postgres");
  return { user: Number(user), group: Number(group) };
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/stat`))
    .filter((name) => parentOf(name) === parent)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    // The name of the program, which may hold blanks, is in parentheses.
    return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[1]);
  } catch {
    return undefined;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function failedToStart(code: number): never {
  throw new Error(`postgres ended with code ${code} before it answered`);
}
