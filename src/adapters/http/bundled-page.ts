import { basename } from "node:path";
import type { PageFiles } from "./page-routes.ts";

/** A page that Bun bundles. An executable was bundled when it was built; a run from source is bundled when it is asked. */
export function bundledPage(page: Bun.HTMLBundle): PageFiles {
  return async () => {
    const sources = page.files?.map(({ path }) => [path, Bun.file(path)] as const) ?? (await bundle(page));
    const files = sources.map(async ([path, source]) => {
      const isIndex = path.endsWith(".html");
      const bytes = isIndex ? await relativeIndex(source) : await source.arrayBuffer();
      return [isIndex ? "/" : `/${basename(path)}`, { bytes, type: source.type }] as const;
    });
    return new Map(await Promise.all(files));
  };
}

/** The page may be served below any path, so it names its scripts and styles relative to its own. */
async function relativeIndex(source: Blob): Promise<ArrayBuffer> {
  const text = (await source.text()).replaceAll(/\b(src|href)="\/(?=chunk-)/g, '$1="./');
  return new TextEncoder().encode(text).buffer;
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
