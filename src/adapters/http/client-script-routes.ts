import { Hono } from "hono";
import { compress } from "hono/compress";
import { problem } from "./problem.ts";

/** The source of `/client.js`; undefined if nobody built it and it cannot be built here. */
export type ClientScript = () => Promise<string | undefined>;

/** The page of any origin may load the script, and asks again only after five minutes. */
const HEADERS = {
  "Content-Type": "text/javascript;charset=utf-8",
  "Access-Control-Allow-Origin": "*",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "Cache-Control": "public, max-age=300, stale-while-revalidate=86400",
};

const NOT_BUILT = { detail: "The script is not built; `npm run build:pages` builds it" };

/** The SDK for browsers as one ES module. It is the same for everybody, so nobody needs a token. */
export function clientScriptRoutes(script: ClientScript): Hono {
  const routes = new Hono();
  let known: Promise<Script | undefined> | undefined;
  const read = async (): Promise<Script | undefined> => {
    known ??= script().then((text) => (text === undefined ? undefined : tagged(text)));
    try {
      const found = await known;
      // It may be built meanwhile.
      if (found === undefined) known = undefined;
      return found;
    } catch (error) {
      known = undefined;
      throw error;
    }
  };

  routes.get("/client.js", compress(), async (context) => {
    const found = await read();
    if (found === undefined) return problem(context, "not_found", NOT_BUILT);
    const headers = { ...HEADERS, ETag: found.tag };
    const isKnown = (context.req.header("If-None-Match") ?? "")
      .split(",")
      .some((tag) => isSame(tag, found.tag));
    return isKnown ? context.body(null, 304, headers) : context.body(found.text, 200, headers);
  });

  return routes;
}

interface Script {
  readonly text: string;
  /** As in the header `ETag`, quotes included. */
  readonly tag: string;
}

async function tagged(text: string): Promise<Script> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return { text, tag: `"${new Uint8Array(digest).slice(0, 12).toBase64({ alphabet: "base64url" })}"` };
}

/** The tag of a compressed answer is weak. */
function isSame(given: string, tag: string): boolean {
  const trimmed = given.trim();
  return trimmed === "*" || trimmed.replace(/^W\//, "") === tag;
}
