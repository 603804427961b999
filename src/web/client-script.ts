import { defineTelltaleProgress } from "./element/telltale-progress.ts";

/** Everything that `GET /client.js` has for a page: it is bundled as one ES module. */
export * from "../client/sdk.ts";
export { TelltaleProgress } from "./element/telltale-progress.ts";

defineTelltaleProgress();
