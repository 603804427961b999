import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { remember } from "./children.ts";
import { PYTHON } from "./video-worker.ts";

const root = new URL("../..", import.meta.url).pathname;

/** A snippet that runs as a program of its own. */
export interface RunningSnippet {
  /** Everything that it wrote to standard output so far. */
  said(): string;
  /** Resolves with the exit code, once all output is read. */
  readonly exited: Promise<number>;
  kill(): void;
}

/** Runs snippets of documents with a gateway of the test in place of the one that they name. */
export class SnippetRunner {
  readonly #folder = mkdtempSync(join(tmpdir(), "telltale-snippets-"));
  readonly #gateway: () => string;
  #runs = 0;

  /** `gateway` answers the address to put in: it may change between two runs. */
  constructor(gateway: () => string) {
    this.#gateway = gateway;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  python(
    snippet: string,
    env: Record<string, string>,
    args: readonly string[] = [],
  ): Promise<RunningSnippet> {
    return this.#start([PYTHON, "-B"], "py", snippet, env, args);
  }

  /** Runs in the folder of the repository. */
  shell(snippet: string, env: Record<string, string> = {}): Promise<RunningSnippet> {
    return this.#start(["bash"], "sh", snippet, env);
  }

  go(snippet: string, env: Record<string, string>): Promise<RunningSnippet> {
    return this.#start(["go", "run"], "go", snippet, env);
  }

  java(snippet: string, env: Record<string, string>): Promise<RunningSnippet> {
    return this.#start(["java"], "java", snippet, env);
  }

  /** `before` declares what the page around the snippet has. */
  script(before: string, snippet: string): Promise<RunningSnippet> {
    const here = snippet
      .replaceAll(/"telltale\/(publisher|watcher)"/g, (_, entry) =>
        JSON.stringify(`${root}src/client/${entry}.ts`),
      )
      .replaceAll('"telltale-client"', JSON.stringify(`${root}src/client/sdk.ts`));
    return this.#start([process.execPath, "run"], "ts", `${before}\n${here}`, {});
  }

  async #start(
    command: readonly string[],
    extension: string,
    snippet: string,
    env: Record<string, string>,
    args: readonly string[] = [],
  ): Promise<RunningSnippet> {
    const url = this.#gateway();
    const file = join(this.#folder, `snippet-${++this.#runs}.${extension}`);
    const here = snippet
      .replaceAll(/http:\/\/127\.0\.0\.1:8000|https:\/\/telltale\.example/g, url)
      .replaceAll("wss://telltale.example", url.replace("http", "ws"));
    await Bun.write(file, here);
    const child = Bun.spawn([...command, file, ...args], {
      cwd: root,
      env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
      // A group of its own: `kill` ends the programs that a shell started as well.
      detached: true,
    });
    remember(child);
    let said = "";
    const read = (async () => {
      for await (const text of child.stdout.pipeThrough(
        new TextDecoderStream() as never,
      ) as never as AsyncIterable<string>)
        said += text;
    })();
    return {
      said: () => said,
      exited: read.then(() => child.exited),
      kill: () => {
        if (child.exitCode === null) process.kill(-child.pid, "SIGKILL");
      },
    };
  }
}
