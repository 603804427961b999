import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, watch } from "node:fs/promises";
import { tmpdir } from "node:os";
import { programPath } from "../support/needs.ts";

/** Docker's command line on one engine. */
export interface DockerEngine {
  /** DOCKER_HOST of other clients of this engine; undefined if they find it by themselves. */
  readonly host: string | undefined;
  /** Standard output, trimmed. Throws with what the command said when it fails. */
  run(args: readonly string[], input?: ReadableStream<Uint8Array>): Promise<string>;
  /** Resolves at the first event of a container, now or before, that reads like this: `health_status: healthy`. */
  event(container: string, status: string): Promise<void>;
  /** Ends the engine if it was started here; one that answered before is left alone. */
  stop(): Promise<void>;
}

const startMs = 60_000;
const stopMs = 60_000;

/** The engine that answers, else one started from Debian's packages in a folder of its own. Needs root for that. */
export async function dockerEngine(): Promise<DockerEngine> {
  const announcements = commandLine(process.env);
  if (await answers(announcements))
    return { ...engineOf(announcements, process.env), host: process.env.DOCKER_HOST, stop: async () => {} };
  return startEngine();
}

type CommandLine = DockerEngine["run"];
type Environment = Readonly<Record<string, string | undefined>>;

async function startEngine(): Promise<DockerEngine> {
  const home = await mkdtemp(`${tmpdir()}/docker-`);
  const host = `unix://${home}/socket`;
  const log = `${home}/log`;
  const pidFile = `${home}/pid`;
  await launch(log, [
    programPath("dockerd"),
    `--host=${host}`,
    `--data-root=${home}/data`,
    `--exec-root=${home}/exec`,
    `--pidfile=${pidFile}`,
    // Every test makes a network of its own, so nothing is left of a default one.
    "--bridge=none",
    "--log-level=warn",
  ]);
  const stop = async () => {
    const gone = removal(home, pidFile);
    process.kill(Number(await readFile(pidFile, "utf8")), "SIGTERM");
    await gone;
    await unmountBelow(home);
    await rm(home, { recursive: true, force: true });
  };

  const env = { ...process.env, DOCKER_HOST: host };
  const run = commandLine(env);
  const deadline = Date.now() + startMs;
  while (!(await answers(run))) {
    if (Date.now() < deadline) continue;
    const said = await readFile(log, "utf8");
    if (existsSync(pidFile)) await stop();
    throw new Error(`dockerd did not start:\n${said}`);
  }
  return { ...engineOf(run, env), host, stop };
}

/**
 * Through a shell that ends at once: the test runner kills the children of a test that ran out of time, and an
 * engine killed that way leaves its networks and containers on the machine.
 */
async function launch(log: string, command: readonly string[]): Promise<void> {
  const script = 'log=$1; shift; "$@" >"$log" 2>&1 &';
  const shell = Bun.spawn(["/bin/sh", "-c", script, "sh", log, ...command], { stdin: "ignore" });
  await shell.exited;
}

/** The engine removes its pid file as the last thing it does. */
async function removal(folder: string, file: string): Promise<void> {
  for await (const _ of watch(folder, { signal: AbortSignal.timeout(stopMs) })) {
    if (!existsSync(file)) return;
  }
}

function engineOf(run: CommandLine, env: Environment): Omit<DockerEngine, "host" | "stop"> {
  return { run, event: (container, status) => waitForEvent(run, env, container, status) };
}

async function waitForEvent(run: CommandLine, env: Environment, container: string, status: string) {
  const events = Bun.spawn(
    [
      programPath("docker"),
      "events",
      "--since=1h",
      `--filter=container=${container}`,
      "--format={{.Status}}",
    ],
    { env, stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  );
  let said = "";
  const seen = (word: string) => said.split("\n").includes(word);
  const decoder = new TextDecoder();
  for await (const chunk of events.stdout) {
    said += decoder.decode(chunk, { stream: true });
    if (seen(status) || seen("die")) break;
  }
  events.kill();
  if (!seen(status)) throw new Error(`${container} ended:\n${await run(["logs", container])}`);
}

function commandLine(env: Environment): CommandLine {
  return async (args, input) => {
    const child = Bun.spawn([programPath("docker"), ...args], {
      // The classic builder is the one that needs no plugin.
      env: { ...env, DOCKER_BUILDKIT: "0" },
      stdin: input ?? "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [output, complaint] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if ((await child.exited) === 0) return (args[0] === "logs" ? output + complaint : output).trim();
    throw new Error(`docker ${args.join(" ")}\n${output}${complaint}`);
  };
}

async function answers(run: CommandLine): Promise<boolean> {
  try {
    await run(["version", "--format", "{{.Server.Version}}"]);
    return true;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("docker version")) return false;
    throw error;
  }
}

/** Unmounts everything that the engine left mounted below its folder, deepest first. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile("/proc/mounts", "utf8"))
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((mount) => mount.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length);
  for (const mount of mounts) await Bun.$`umount ${mount}`.quiet();
}
