import { basename } from "node:path";
import { Hono } from "hono";

/**
 * A page at `/` with the scripts and styles that Bun bundles for it, under headers that let it load nothing else, talk
 * to its own server and the gateway alone, and appear in nobody's frame. Bun's own route for a page bears no headers.
 */
export function pageFiles(page: Bun.HTMLBundle, gatewayUrl: string): Hono {
  const { origin, host, protocol } = new URL(gatewayUrl);
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "media-src 'self'",
    `connect-src 'self' ${origin} ${protocol === "https:" ? "wss" : "ws"}://${host}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  let files: Promise<ReadonlyMap<string, Blob>> | undefined;
  return new Hono().get("*", async (context, next) => {
    files ??= bundle(page);
    const file = (await files).get(context.req.path);
    if (file === undefined) return next();
    return new Response(file, {
      headers: {
        "Content-Type": file.type,
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
      },
    });
  });
}

/** By path. */
async function bundle(page: Bun.HTMLBundle): Promise<ReadonlyMap<string, Blob>> {
  const { outputs } = await Bun.build({
    entrypoints: [page.index],
    minify: true,
    publicPath: "/",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return new Map(
    outputs.map((file) => [file.path.endsWith(".html") ? "/" : `/${basename(file.path)}`, file]),
  );
}
