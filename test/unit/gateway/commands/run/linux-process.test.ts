import { expect, test } from "bun:test";
import { isStopped } from "../../../../../src/gateway/commands/run/linux-process.ts";
import { remember } from "../../../../support/children.ts";

test.skipIf(process.platform !== "linux")(
  "isStopped() tells a program that SIGSTOP stopped from one that runs",
  async () => {
    const child = Bun.spawn(["cat"], { stdin: "pipe", stdout: "ignore" });
    remember(child);
    expect(isStopped(child.pid)).toBe(false);
    child.kill("SIGSTOP");
    while (!isStopped(child.pid)) await Bun.sleep(5);
    child.kill("SIGCONT");
    while (isStopped(child.pid)) await Bun.sleep(5);
    child.kill("SIGKILL");
    await child.exited;
    expect(isStopped(child.pid)).toBe(false);
  },
);
