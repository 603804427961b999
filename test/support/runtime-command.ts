import { readFileSync } from "node:fs";
import { resolve } from "node:path";

export type RuntimeName = "bun" | "deno";

const root = new URL("../..", import.meta.url).pathname;

/**
 * The runtime of the gateways that the tests start, by TELLTALE_RUNTIME: `bun` if it is not set, or `deno`. A test that
 * itself runs on Deno serves on Deno.
 */
export const runtimeName: RuntimeName =
  "Deno" in globalThis || process.env.TELLTALE_RUNTIME === "deno" ? "deno" : "bun";

/**
 * The command line that runs a program of this repository, as its users run it: on that runtime, or on the one given. `path`
 * is one from the root of the repository, or an absolute one.
 */
export function runtimeCommand(path = "src/main.ts", runtime = runtimeName): string[] {
  const program = resolve(root, path);
  if (runtime === "bun") return [process.execPath, "run", program];
  const { tasks } = JSON.parse(readFileSync(`${root}deno.json`, "utf8")) as { tasks: { telltale: string } };
  const [, ...words] = tasks.telltale.split(" ");
  return [`${root}node_modules/deno/deno`, ...words.slice(0, -1), program];
}
