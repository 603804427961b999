/** Everything that `GET /client.js` has for a page: it is bundled as one ES module. */
export { watchAnalysis } from "../client/watcher.ts";
