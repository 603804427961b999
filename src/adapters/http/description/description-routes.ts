import { Hono } from "hono";
import type { EventRules } from "../../../domain/event-rules.ts";
import { asyncApi } from "./asyncapi.ts";
import type { Schema } from "./components.ts";
import { openApi } from "./openapi.ts";
import { REFERENCE_STYLE, referencePage } from "./reference-page.ts";

interface DescriptionParts {
  readonly rules: EventRules;
  /** The version of Telltale. */
  readonly version: string;
}

/** Tools of any origin may read a description, and caches keep it for a while: it changes with a release or a setting. */
const JSON_HEADERS = {
  "Content-Type": "application/json",
  "Access-Control-Allow-Origin": "*",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "Cache-Control": "public, max-age=300",
};

/** The descriptions of the gateway for programs and for people. Nobody needs a token. */
export function descriptionRoutes({ rules, version }: DescriptionParts): Hono {
  const routes = new Hono();
  const documents = { openapi: () => openApi(rules, version), asyncapi: () => asyncApi(rules, version) };
  for (const [name, make] of Object.entries(documents)) {
    const made = once(make);
    const text = once(() => JSON.stringify(made(), null, 2));
    const page = once(() => referencePage(made()));
    routes.get(`/${name}.json`, (context) => context.body(text(), 200, JSON_HEADERS));
    routes.get(`/${name}`, async (context) =>
      context.body(page(), 200, {
        "Content-Type": "text/html;charset=utf-8",
        "Content-Security-Policy": `default-src 'none'; style-src 'sha256-${await styleDigest()}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
        "Cache-Control": "no-cache",
      }),
    );
  }
  return routes;
}

/** Made at the first request: few gateways are ever asked. */
function once<Made extends string | Schema>(make: () => Made): () => Made {
  let made: Made | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** The page may have its own style and no other. */
async function styleDigest(): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(REFERENCE_STYLE));
  return new Uint8Array(digest).toBase64();
}
