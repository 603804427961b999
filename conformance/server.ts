import { startConformanceServer } from "./server/control.ts";

/**
 * `bun run conformance/server.ts [PORT]` plays the gateway of all cases to clients of any language, until it is stopped. Its first line
 * is its address.
 */
const folder = new URL(".", import.meta.url).pathname;
const files = [...new Bun.Glob("*.yaml").scanSync({ cwd: folder })].sort().map((name) => folder + name);
const { url } = await startConformanceServer(files, Number(process.argv[2] ?? 0));
console.log(url);
