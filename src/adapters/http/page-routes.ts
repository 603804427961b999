import { Hono } from "hono";
import { problem } from "./problem.ts";

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

export interface PageFile {
  readonly bytes: ArrayBuffer;
  /** The content type. */
  readonly type: string;
}

/** There is no page to serve, since nobody built it. */
export class PageNotBuilt extends Error {
  override readonly name = "PageNotBuilt";
  readonly code = "page_not_built";
}

/** The files of a page by path, `/` among them. Each runtime has its own way to them; it is asked at the first visit.
 * Rejects with `PageNotBuilt` if there are none. */
export type PageFiles = () => Promise<ReadonlyMap<string, PageFile>>;

/**
 * A page at `/`, with its scripts and styles. It is none of Bun's own routes, because those set no headers and wait for
 * a slow body without end.
 */
export function pageRoutes(page: PageFiles): Hono {
  let files: ReturnType<PageFiles> | undefined;
  const fileAt = async (path: string) => {
    files ??= page();
    try {
      return (await files).get(path);
    } catch (error) {
      // It may be built meanwhile.
      files = undefined;
      throw error;
    }
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
  routes.onError((error, context) => {
    if (error instanceof PageNotBuilt) return problem(context, "not_found", { detail: error.message });
    throw error;
  });
  return routes;
}
