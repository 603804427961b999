import { bundledPage } from "../../adapters/http/bundled-page.ts";
import { listen } from "../../adapters/server/bun.ts";
import type { ListenOptions } from "../../adapters/server/listening.ts";
import demoPage from "../../web/demo/index.html";

/** A `Runtime`. */
export const runtime = {
  listen: async (options: ListenOptions) => listen(options),
  demoPage: bundledPage(demoPage),
};
