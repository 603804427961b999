import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** `npm run build` makes the package: ES modules and their types, in `dist`. */
const folder = new URL(".", import.meta.url).pathname;
const root = new URL("../..", import.meta.url).pathname;
const dist = join(folder, "dist");

await rm(dist, { recursive: true, force: true });
await mkdir(dist);
await Promise.all([buildModules(), buildTypes()]);

async function buildModules(): Promise<void> {
  const modules = {
    index: join(root, "src/client/sdk.ts"),
    react: join(folder, "react.ts"),
    element: join(folder, "element.ts"),
    tabs: join(root, "src/client/tabs/tabs.ts"),
  };
  for (const [name, entry] of Object.entries(modules)) {
    const { outputs } = await Bun.build({
      // Frameworks that render on a server leave hooks to the page.
      banner: name === "react" ? '"use client";' : "",
      entrypoints: [entry],
      target: "browser",
      minify: true,
      external: ["react"],
      plugins: [
        {
          name: "all modules share the first one, and so its connections",
          setup: (build) =>
            void build.onResolve({ filter: /\/client\/sdk\.ts$/ }, ({ importer }) =>
              importer === "" ? undefined : { path: "./index.js", external: true },
            ),
        },
      ],
    });
    for (const output of outputs) await writeFile(join(dist, `${name}.js`), await output.text());
  }
}

async function buildTypes(): Promise<void> {
  const compiler = join(root, "node_modules/.bin/tsc");
  const { exitCode, stdout } = Bun.spawnSync([compiler, "-p", folder]);
  if (exitCode !== 0) throw new Error(stdout.toString());
  const types = join(dist, "types");
  for (const file of await readdir(types, { recursive: true })) {
    if (!file.endsWith(".d.ts")) continue;
    const text = await readFile(join(types, file), "utf8");
    // Only then do all compilers find the types of a package without an option of their own.
    await writeFile(join(types, file), text.replace(/(["'])(\.\.?\/[^"']+)\.ts\1/g, "$1$2.js$1"));
  }
}
