import { basename } from "node:path";
import { Hono } from "hono";

/** The page loads only its own scripts and styles. Its address may hold a token, so the browser passes it on to nobody. */
const PAGE_HEADERS = {
  "Content-Security-Policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-cache",
};
/** The name of an asset changes with its content. */
const ASSET_HEADERS = { "Cache-Control": "public, max-age=31536000, immutable" };

interface PageFile {
  readonly bytes: ArrayBuffer;
  readonly type: string;
}

/**
 * A page at `/`, with the scripts and styles that Bun bundles for it at the first visit. It is none of Bun's own routes,
 * because those set no headers and wait for a slow body without end.
 */
export function pageRoutes(page: Bun.HTMLBundle): Hono {
  let bundled: Promise<ReadonlyMap<string, PageFile>> | undefined;
  const fileAt = async (path: string) => {
    bundled ??= filesOf(page);
    return (await bundled).get(path);
  };
  const routes = new Hono();
  for (const [path, headers] of [
    ["/", PAGE_HEADERS],
    ["/:asset{chunk-[a-z0-9]+\\.(?:js|css)}", ASSET_HEADERS],
  ] as const) {
    routes.get(path, async (context) => {
      const file = await fileAt(context.req.path);
      if (file === undefined) return context.notFound();
      return context.body(file.bytes, 200, { ...headers, "Content-Type": file.type });
    });
  }
  return routes;
}

/** The files by path. An executable was bundled when it was built; a run from source is bundled now. */
async function filesOf(page: Bun.HTMLBundle): Promise<ReadonlyMap<string, PageFile>> {
  const sources = page.files?.map(({ path }) => [path, Bun.file(path)] as const) ?? (await bundle(page));
  const files = sources.map(async ([path, source]) => {
    const name = path.endsWith(".html") ? "/" : `/${basename(path)}`;
    return [name, { bytes: await source.arrayBuffer(), type: source.type }] as const;
  });
  return new Map(await Promise.all(files));
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
