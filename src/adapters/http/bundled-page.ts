import { basename } from "node:path";
import type { PageFiles } from "./page-routes.ts";

/** A page that Bun bundles. An executable was bundled when it was built; a run from source is bundled when it is asked. */
export function bundledPage(page: Bun.HTMLBundle): PageFiles {
  return async () => {
    const sources = page.files?.map(({ path }) => [path, Bun.file(path)] as const) ?? (await bundle(page));
    const files = sources.map(async ([path, source]) => {
      const name = path.endsWith(".html") ? "/" : `/${basename(path)}`;
      return [name, { bytes: await source.arrayBuffer(), type: source.type }] as const;
    });
    return new Map(await Promise.all(files));
  };
}

async function bundle(page: Bun.HTMLBundle): Promise<(readonly [string, Blob])[]> {
  const { outputs } = await Bun.build({
    entrypoints: [page.index],
    minify: true,
    publicPath: "/",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return outputs.map((output) => [output.path, output] as const);
}
