import { signToken, type TokenRequest } from "../../src/adapters/jwt/token-signer.ts";
import { remember } from "./children.ts";
import { runtimeCommand, runtimeName } from "./runtime-command.ts";

/** Another one in each run: a key in the repository is known, and production refuses it. */
export const TEST_SECRET = crypto.getRandomValues(new Uint8Array(32)).toHex();

/** A gateway as users run it: a process of its own, configured by the environment alone. */
export interface GatewayProcess {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Everything that it wrote so far, to both streams. */
  output(): string;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number>;
  /** As a crash would. */
  kill9(): Promise<void>;
}

const root = new URL("../..", import.meta.url).pathname;

/**
 * Starts `src/main.ts`, or another program, on the runtime of TELLTALE_RUNTIME and on a free port, or the one given, and
 * resolves when it answers. A list is a whole command. It runs in `folder`: the repository's if left out.
 */
export async function startGateway(
  env: Record<string, string> = {},
  program: string | readonly string[] = "src/main.ts",
  folder = root,
): Promise<GatewayProcess> {
  if (runtimeName === "deno") buildPages();
  const child = Bun.spawn(typeof program === "string" ? runtimeCommand(program) : [...program], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? "",
      PORT: "0",
      JWT_SECRET_KEY: TEST_SECRET,
      LOG_LEVEL: "warn",
      LOG_FORMAT: "json",
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  remember(child);
  let written = "";
  const started = Promise.withResolvers<string>();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const text of stream.pipeThrough(
      new TextDecoderStream() as never,
    ) as unknown as AsyncIterable<string>) {
      written += text;
      const url = /answers at (http:\S+)/.exec(written)?.[1];
      if (url !== undefined) started.resolve(url);
    }
  };
  void Promise.all([read(child.stdout), read(child.stderr)]).then(() =>
    started.reject(new Error(`the gateway did not start:\n${written}`)),
  );
  const url = await started.promise;
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid,
    output: () => written,
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

let pagesBuilt = false;

/** Builds the pages that a gateway on Deno serves, as `deno task start` does. */
export function buildPages(): void {
  if (pagesBuilt) return;
  const built = Bun.spawnSync([process.execPath, "run", "scripts/build-pages.ts"], { cwd: root });
  if (!built.success) throw new Error(`the pages could not be built:\n${built.stderr}`);
  pagesBuilt = true;
}

/** A token that the gateway of the tests accepts. */
export function tokenFor(request: Partial<TokenRequest> = {}): Promise<string> {
  return signToken(TEST_SECRET, { user: "alice", scopes: [], expiresInSeconds: 600, ...request }, Date.now());
}

export function publisherToken(): Promise<string> {
  return tokenFor({ user: "worker", scopes: ["analysis:publish", "analysis:cancel", "notice:publish"] });
}
