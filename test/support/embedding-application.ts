import { remember } from "./children.ts";

/** An application that embeds Telltale, as a process of its own. */
export interface EmbeddingApplication {
  readonly url: string;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number>;
  kill9(): Promise<void>;
}

/** Starts it on a free port and resolves when it says its address. */
export async function startApplication(command: readonly string[]): Promise<EmbeddingApplication> {
  const child = Bun.spawn([...command], {
    cwd: new URL("../..", import.meta.url).pathname,
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", PORT: "0" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  remember(child);
  const started = Promise.withResolvers<string>();
  const read = async () => {
    let written = "";
    for await (const text of child.stdout.pipeThrough(
      new TextDecoderStream() as never,
    ) as unknown as AsyncIterable<string>) {
      written += text;
      const url = /answers at (http:\S+)/.exec(written)?.[1];
      if (url !== undefined) started.resolve(url);
    }
    started.reject(new Error(`the application did not start:\n${written}`));
  };
  void read();
  return {
    url: await started.promise,
    async stop() {
      child.kill("SIGTERM");
      return child.exited;
    },
    async kill9() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
