import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { workerEnvironment } from "../../examples/video-worker/run/python.ts";
import { TEST_SECRET } from "./gateway-process.ts";
import { runtimeCommand } from "./runtime-command.ts";

/** Debian's Python: the one that comes first on PATH need not see Debian's packages. */
export const PYTHON = "/usr/bin/python3";
export const exampleFolder = new URL("../../examples/video-worker", import.meta.url).pathname;
const root = new URL("../..", import.meta.url).pathname;

/** The example as users start it. */
export interface RunningExample {
  readonly pageUrl: string;
  readonly gatewayUrl: string;
  readonly pid: number;
  /** Puts an analysis on Celery's queue, as a backend in Python would; only if the Redis was given. */
  enqueue(analysisId: string, path: string): Promise<void>;
  /** As Ctrl-C does; resolves with the exit code. */
  stop(): Promise<number>;
}

/** Runs the one command and resolves when it has printed the page's address. Without `redisUrl` it starts a Redis itself. */
export async function startExample(
  redisUrl?: string,
  env: Record<string, string> = {},
): Promise<RunningExample> {
  const redis = redisUrl === undefined ? {} : { REDIS_URL: redisUrl };
  const child = Bun.spawn([process.execPath, "run", "examples/video-worker/start.ts"], {
    cwd: root,
    env: {
      PATH: process.env.PATH ?? "",
      PYTHON,
      GATEWAY_COMMAND: runtimeCommand().join(" "),
      ...redis,
      JWT_SECRET_KEY: TEST_SECRET,
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let written = "";
  const up = Promise.withResolvers<void>();
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      written += text;
      if (/page is at http:\S+\n/.test(written)) up.resolve();
    }
  };
  void Promise.all([read(child.stdout), read(child.stderr)]).then(() =>
    up.reject(new Error(`the example did not start:\n${written}`)),
  );
  await up.promise;
  return {
    pageUrl: /page is at (http:\S+)/.exec(written)?.[1] ?? "",
    gatewayUrl: /answers at (http:\S+)/.exec(written)?.[1] ?? "",
    pid: child.pid,
    enqueue: async (analysisId, path) => {
      const command = [PYTHON, "-B", "-m", "worker.enqueue", analysisId, path];
      const result = Bun.spawn(command, {
        cwd: exampleFolder,
        env: { ...workerEnvironment(root), REDIS_URL: redisUrl },
        stdout: "ignore",
      });
      if ((await result.exited) !== 0) throw new Error("the analysis could not be enqueued");
    },
    stop: () => {
      child.kill("SIGINT");
      return child.exited;
    },
  };
}

/** A visitor of the page, by the cookie that the web application gave it. */
export async function newVisitor({ pageUrl }: RunningExample) {
  const answer = await fetch(`${pageUrl}/api/session`);
  const cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? "";
  return { cookie, ...((await answer.json()) as { token: string; gateway_url: string }) };
}

export function upload({ pageUrl }: RunningExample, cookie: string, body: BodyInit): Promise<Response> {
  return fetch(`${pageUrl}/api/analyses?name=sample.mp4`, { method: "POST", headers: { cookie }, body });
}

export interface Region {
  readonly region_type: string;
  readonly frame_number: number;
  readonly end_frame: number;
  readonly confidence: number;
}

/** Frames of the sample, 25 a second, first and last included. */
export const SAMPLE = {
  frames: 300,
  black: [50, 74],
  frozen: [124, 164],
  cut: 165,
  /** Over the four tiles from (0.25, 0.25) to (0.5, 0.5). */
  blocks: [250, 289],
} as const;

/** Writes an H.264 video in which something is put in at known places. */
export async function makeSample(path: string): Promise<void> {
  const scenes = [
    "[0:v]split=3[a][b][c]",
    "[a]trim=end_frame=50[one]",
    "[b]trim=start_frame=75:end_frame=125[three]",
    "[c]trim=start_frame=124:end_frame=125,loop=39:1[four]",
    "[2:v]trim=end_frame=135,split[whole][part]",
    "[part]crop=160:90:160:90,pixelize=w=16:h=16[blocks]",
    "[whole][blocks]overlay=160:90:enable='between(n,85,124)'[five]",
    "[1:v]copy[two]",
  ];
  const names = ["one", "two", "three", "four", "five"];
  const even = names.map((name) => `[${name}]setpts=N/25/TB,fps=25,format=yuv420p[${name}_even]`);
  const joined = `${names.map((name) => `[${name}_even]`).join("")}concat=n=5:v=1[video]`;
  await ffmpeg([
    ...["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=10"],
    ...["-f", "lavfi", "-i", "color=black:size=640x360:rate=25:duration=1"],
    ...["-f", "lavfi", "-i", "mandelbrot=size=640x360:rate=25"],
    ...["-filter_complex", [...scenes, ...even, joined].join(";"), "-map", "[video]"],
    ...["-c:v", "libx264", "-preset", "veryfast", "-y", path],
  ]);
}

/** One that takes the worker a good while. */
export function makeLongVideo(path: string): Promise<void> {
  const picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=45"];
  return ffmpeg([...picture, "-c:v", "libx264", "-preset", "ultrafast", "-y", path]);
}

/** A small file of 40,000 frames, 5,000 a second. */
export function makeFastVideo(path: string): Promise<void> {
  const picture = ["-f", "lavfi", "-i", "color=gray:size=64x64:rate=5000:duration=8"];
  return ffmpeg([...picture, "-c:v", "libx264", "-preset", "ultrafast", "-y", path]);
}

/** A song: a good file, and no video. */
export function makeSong(path: string): Promise<void> {
  return ffmpeg(["-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", "-y", path]);
}

/** The same pictures in another container. */
export function repack(from: string, to: string): Promise<void> {
  return ffmpeg(["-i", from, "-c", "copy", "-y", to]);
}

async function ffmpeg(args: readonly string[]): Promise<void> {
  const child = Bun.spawn(["ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error", ...args], {
    stderr: "inherit",
  });
  if ((await child.exited) !== 0) throw new Error("ffmpeg could not make the video");
}

export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
}

/** Every process under `pid`, at whatever depth. */
export function descendants(pid: number): ProcessRow[] {
  const all = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => processRow(Number(entry)))
    .filter((row) => row !== undefined);
  const found: ProcessRow[] = [];
  const parents = new Set([pid]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const row of all) {
      if (!parents.has(row.parent) || parents.has(row.pid)) continue;
      parents.add(row.pid);
      found.push(row);
      grown = true;
    }
  }
  return found;
}

/** Undefined when it ended, a zombie included. */
export function processRow(pid: number): ProcessRow | undefined {
  try {
    const stat = readFileSync(join("/proc", String(pid), "stat"), "utf8");
    const [, name, state, parent] = /\((.*)\) (\S) (\d+)/s.exec(stat) ?? [];
    if (name === undefined || state === "Z") return undefined;
    return { pid, name, parent: Number(parent) };
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(String((error as { code?: unknown }).code))) return undefined;
    throw error;
  }
}
