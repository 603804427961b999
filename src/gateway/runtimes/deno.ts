import { join } from "node:path";
import { builtPage } from "../../adapters/http/built-page.ts";
import { listen } from "../../adapters/server/deno.ts";

/** `scripts/build-pages.ts` writes it. */
const DEMO_PAGE = join(import.meta.dirname, "../../../dist/pages/demo");

/** A `Runtime`. */
export const runtime = { listen, demoPage: builtPage(DEMO_PAGE) };
