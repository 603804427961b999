import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { complaintsOf, launchBrowser } from "../test/support/browser.ts";
import { freePort } from "../test/support/free-port.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../test/support/gateway-process.ts";
import { publish, resultUpdate, statusUpdate } from "../test/support/publishing.ts";
import { runProgram } from "./check/run-program.ts";
import { makeProject, removeProject, STRANGERS, type Stranger } from "./strangers.ts";

/**
 * `npm run try:package` installs `telltale-client` into fresh projects of Vite with React, webpack and esbuild, builds what its README shows, and
 * opens it in a browser on a real gateway. It needs a registry and Chromium, and takes a minute: CI has the rest, in
 * `test/integration/sdk-package.test.ts` and `test/e2e`.
 */
const ROOT = new URL("..", import.meta.url).pathname;
const packed = mkdtempSync(join(tmpdir(), "telltale-client-"));
const [gateway, browser] = await Promise.all([startGateway({ ALLOWED_ORIGINS: "*" }), launchBrowser()]);
const token = await tokenFor();
try {
  await run(`npm pack --pack-destination ${packed}`, join(ROOT, "clients/js"));
  for (const stranger of STRANGERS) console.log(await tryIn(stranger));
} finally {
  await Promise.all([browser.close(), gateway.stop()]);
  rmSync(packed, { recursive: true, force: true });
}

async function tryIn(stranger: Stranger): Promise<string> {
  const folder = makeProject(stranger, gateway.url);
  const site = serve(folder);
  try {
    const packages = [join(packed, "telltale-client-0.1.0.tgz"), ...stranger.packages].join(" ");
    await run(`npm install --no-audit --no-fund --no-progress ${packages}`, folder);
    for (const command of stranger.commands) await run(`npx --no-install ${command}`, folder);
    await watchFrom(site.url.origin, gateway, browser);
    if (stranger.server !== undefined) await tryServer(stranger.server, folder, site.url.origin);
    const size = Bun.gzipSync(await Bun.file(join(folder, stranger.alone)).bytes(), { level: 9 }).byteLength;
    return `${stranger.name}: works; watch alone is ${size} bytes, minified and gzipped`;
  } finally {
    await site.stop(true);
    removeProject(folder);
  }
}

/** `dist` of the project, its own page if it built none, and the token that the page asks its backend for. */
function serve(folder: string): Bun.Server<undefined> {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/token") return Response.json({ token });
      const path = pathname === "/" ? "/index.html" : pathname;
      const built = join(folder, "dist", path);
      return new Response(Bun.file(existsSync(built) ? built : join(folder, path)));
    },
  });
}

async function tryServer(command: string, folder: string, site: string): Promise<void> {
  const port = await freePort();
  const [program = "", ...options] = command.split(" ");
  const server = Bun.spawn([join(folder, "node_modules/.bin", program), ...options, `${port}`], {
    cwd: folder,
    env: { ...process.env, SITE: site },
    stdout: "ignore",
    stderr: "inherit",
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    for (let tries = 0; tries < 100 && !(await answers(url)); tries += 1) await Bun.sleep(100);
    await watchFrom(url, gateway, browser);
  } finally {
    server.kill();
    await server.exited;
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    // It has not started yet.
    return false;
  }
}

/** The page shows a status, then the verdict, and complains of nothing. */
async function watchFrom(origin: string, gateway: GatewayProcess, browser: Browser): Promise<void> {
  const id = crypto.randomUUID();
  await publish(gateway, id, statusUpdate({ message: "half way" }));
  const page = await browser.newPage();
  const said: string[] = [];
  page.on("console", (message) => void said.push(message.text()));
  const complaints = complaintsOf(page, origin, gateway.url);
  await page.goto(`${origin}/?id=${id}`);
  await page.locator(`progress[title="half way"], telltale-progress:has-text("half way")`).first().waitFor();
  await publish(gateway, id, resultUpdate());
  for (let tries = 0; !said.includes("completed"); tries += 1) {
    if (tries > 200) throw new Error(`the page never said that it is completed: ${said.join("; ")}`);
    await Bun.sleep(50);
  }
  if (complaints.length > 0) throw new Error(complaints.join("\n"));
  await page.close();
}

async function run(command: string, cwd: string): Promise<void> {
  const { exitCode, output } = await runProgram(command.split(" "), cwd, 5);
  if (exitCode !== 0) throw new Error(`${command}:\n${output}`);
}
