import type { Subprocess } from "bun";

export interface ChildSettings {
  /** Put before each line it writes. */
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The line that it writes when it is up. */
  readonly ready: RegExp;
  /** Lines that say nothing to the person who started it. */
  readonly quiet?: boolean;
}

export interface ChildProcess {
  readonly name: string;
  readonly pid: number;
  /** The match of `ready`. */
  readonly match: RegExpExecArray;
  readonly exited: Promise<number>;
  /** Asks it to end, and makes it after a while. */
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 30_000;
const ENDS_WITHIN_MS = 4_000;
const KEPT_CHARACTERS = 64 * 1024;

/** Starts a program and resolves when it says that it is up; rejects with what it wrote when it does not. */
export async function startChild(settings: ChildSettings): Promise<ChildProcess> {
  const { name, command, ready } = settings;
  const child = Bun.spawn([...command], {
    ...(settings.cwd === undefined ? {} : { cwd: settings.cwd }),
    env: { ...process.env, ...settings.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    // A group of its own: Ctrl-C reaches only the one that started it, which then ends all in order.
    detached: true,
  });
  let written = "";
  const up = Promise.withResolvers<RegExpExecArray>();
  const hear = (text: string) => {
    written = (written + text).slice(-KEPT_CHARACTERS);
    const match = ready.exec(written);
    if (match !== null) up.resolve(match);
  };
  const ended = Promise.all([
    follow(child.stdout, settings, hear),
    follow(child.stderr, settings, hear),
    child.exited,
  ]);
  void ended.then(() => up.reject(new Error(`${name} ended with ${child.exitCode}:\n${written.trim()}`)));
  const patience = setTimeout(
    () => up.reject(new Error(`${name} did not come up:\n${written.trim()}`)),
    READY_WITHIN_MS,
  );
  try {
    return { name, pid: child.pid, match: await up.promise, exited: child.exited, stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw error;
  } finally {
    clearTimeout(patience);
  }
}

async function follow(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  { name, quiet }: ChildSettings,
  hear: (text: string) => void,
): Promise<void> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    hear(text);
    if (quiet === true) continue;
    for (const line of text.split("\n")) if (line.trim() !== "") console.error(`[${name}] ${line}`);
  }
}

async function stop(child: Subprocess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill("SIGTERM");
  // The whole group, since a worker killed alone would leave its own children behind.
  const force = setTimeout(() => signalGroup(child.pid), ENDS_WITHIN_MS);
  await child.exited;
  clearTimeout(force);
}

function signalGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // It ended a moment before.
    if ((error as { code?: unknown }).code !== "ESRCH") throw error;
  }
}
