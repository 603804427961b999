import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runProgram } from "../../scripts/check/run-program.ts";

const root = new URL("../..", import.meta.url).pathname;
/** Tools that a stranger installs beside the package. */
export const TOOLS = ["bun", "typescript", "@types/bun"];
/** Those that it needs besides on Deno. */
export const TOOLS_OF_DENO = ["deno", "expect"];

/** A folder outside the repository in which the package is installed, and nothing else of the repository can be reached. */
export interface InstalledPackage {
  readonly folder: string;
  /** The file that `npm pack` wrote. */
  readonly tarball: string;
  /** Copies a file or a folder of the repository into this one. */
  copy(from: string, to: string): void;
  /** Runs a program in the folder. */
  run(...command: string[]): Promise<{ readonly output: string; readonly exitCode: number }>;
  remove(): void;
}

/**
 * Packs the package by `npm pack` and lays it out as npm installs it. That needs no registry: its dependencies are links to
 * those of the repository, to the ones alone that package.json declares.
 */
export async function installPackage(): Promise<InstalledPackage> {
  const folder = mkdtempSync(join(tmpdir(), "telltale-installed-"));
  const run = async (command: readonly string[], cwd: string) => {
    const done = await runProgram(command, cwd, 2, { npm_config_cache: join(folder, ".npm") });
    if (done.exitCode !== 0) throw new Error(`${command.join(" ")}:\n${done.output}`);
  };
  await run(["npm", "pack", "--ignore-scripts", "--offline", "--pack-destination", folder], root);
  const { name, version, dependencies, bin } = manifest();
  const tarball = `${name}-${version}.tgz`;
  await run(["tar", "-xzf", tarball], folder);
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, ".bin"), { recursive: true });
  renameSync(join(folder, "package"), join(modules, name));
  for (const dependency of [...Object.keys(dependencies), ...TOOLS, ...TOOLS_OF_DENO]) {
    mkdirSync(dirname(join(modules, dependency)), { recursive: true });
    symlinkSync(join(root, "node_modules", dependency), join(modules, dependency));
  }
  for (const command of ["bun", "tsc", "deno"])
    symlinkSync(join(root, "node_modules/.bin", command), join(modules, ".bin", command));
  for (const [command, file] of Object.entries(bin)) {
    chmodSync(join(modules, name, file), 0o755);
    symlinkSync(join("..", name, file), join(modules, ".bin", command));
  }
  return {
    folder,
    tarball,
    copy: (from, to) => cpSync(join(root, from), join(folder, to), { recursive: true }),
    run: (...command) => runProgram(command, folder, 2),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
}

function manifest(): Manifest {
  return JSON.parse(readFileSync(`${root}package.json`, "utf8")) as Manifest;
}
