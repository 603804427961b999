const lastWordsMs = 2_000;
/** The process groups of the programs that run. */
const running = new Set<number>();

/** Runs a program. At the limit its whole process group is killed, and the exit code is 124. */
export async function runProgram(
  command: readonly string[],
  cwd: string,
  limitMinutes: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly output: string; readonly exitCode: number }> {
  const child = Bun.spawn([...command], {
    cwd,
    // Deno prints colours for any value of FORCE_COLOR.
    env: { ...process.env, ...environment, NO_COLOR: "1", FORCE_COLOR: undefined },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  if (running.size === 0) process.once("SIGINT", giveUp).once("SIGTERM", giveUp);
  running.add(child.pid);
  let late = false;
  const limit = setTimeout(() => {
    late = true;
    process.kill(-child.pid, "SIGKILL");
  }, limitMinutes * 60_000);

  let output = "";
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) output += decoder.decode(chunk, { stream: true });
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  const exitCode = await child.exited;
  clearTimeout(limit);
  running.delete(child.pid);
  if (running.size === 0) process.off("SIGINT", giveUp).off("SIGTERM", giveUp);
  // A process that the program left behind keeps the pipe open, and the check must not wait for it.
  await Promise.race([collected, Bun.sleep(lastWordsMs)]);
  return late
    ? { output: `${output}\nstopped after ${limitMinutes} minutes`, exitCode: 124 }
    : { output, exitCode };
}

function giveUp(): void {
  for (const group of running) process.kill(-group, "SIGTERM");
  process.exit(130);
}
