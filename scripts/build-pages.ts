import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { BUILT_INDEX } from "../src/adapters/http/built-page.ts";
import { bundledPage } from "../src/adapters/http/bundled-page.ts";
import { clientScript } from "../src/gateway/client-script.ts";
import demoPage from "../src/web/demo/index.html";

/** `npm run build:pages` builds the demo page and `/client.js` for a runtime that bundles none. It does nothing if no source is newer. */
const ROOT = new URL("..", import.meta.url);
const FOLDER = new URL("dist/pages/demo/", ROOT);
const CLIENT = new URL("dist/client.js", ROOT);
const SOURCES = ["src/{web,client,domain}/**/*", "src/adapters/http/*-page.ts", "package-lock.json"];

const builtAt = await Promise.all([modifiedAt(new URL(BUILT_INDEX, FOLDER)), modifiedAt(CLIENT)]);
const newest = await newestSource();
if (builtAt.some((at) => at === undefined || newest > at)) await build();

async function build(): Promise<void> {
  const fresh = new URL(`dist/pages/demo-${process.pid}/`, ROOT);
  await mkdir(fresh, { recursive: true });
  for (const [path, { bytes }] of await bundledPage(demoPage)())
    await writeFile(new URL(path === "/" ? BUILT_INDEX : path.slice(1), fresh), new Uint8Array(bytes));
  await rm(FOLDER, { recursive: true, force: true });
  await rename(fresh, FOLDER);
  // Two builds at once write a file each, so that nobody reads half of one.
  const script = new URL(`dist/client-${process.pid}.js`, ROOT);
  await writeFile(script, (await clientScript()) ?? "");
  await rename(script, CLIENT);
  console.log("Built the demo page and the script for pages.");
}

async function newestSource(): Promise<number> {
  const paths = SOURCES.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: ROOT.pathname })]);
  const times = await Promise.all(paths.map((path) => modifiedAt(new URL(path, ROOT))));
  return Math.max(...times.map((time) => time ?? 0));
}

/** Milliseconds since 1970; undefined if there is no such file. */
async function modifiedAt(path: URL): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
