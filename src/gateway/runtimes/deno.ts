import { builtPage } from "../../adapters/http/built-page.ts";
import { listen } from "../../adapters/server/deno.ts";

/** `scripts/build-pages.ts` writes it. */
const DEMO_PAGE = new URL("../../../dist/pages/demo/", import.meta.url);

/** A `Runtime`. */
export const runtime = { listen, demoPage: builtPage(DEMO_PAGE) };
