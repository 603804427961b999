import { parseArgs } from "node:util";
import { eventually } from "../src/testing/eventually.ts";
import { Chromium } from "../test/faults/browser/chromium.ts";
import { publisherToken, startGateway, tokenFor } from "../test/support/gateway-process.ts";
import { statusUpdate } from "../test/support/publishing.ts";
import type { PageOptions, SeenOnPage } from "./pages/measured-page.ts";
import { type MainThreadTrace, traced } from "./trace.ts";

/**
 * `npx bun run bench/many-on-a-page.ts`: how long a page that watches 1,000 analyses keeps the main thread of a real Chromium busy, by
 * a trace of its tasks: a page with a bare socket, which is the reference, one with a watch for each, and one of React.
 * `--analyses N`, `--rate N` (events a second), `--seconds N`, `--transport sse`, `--only bare|sdk|react`, `--all` (lays out the lines out
 * of sight too), `--parts N` (names the parts that take the most).
 */
const { values } = parseArgs({
  options: {
    analyses: { type: "string", default: "1000" },
    rate: { type: "string", default: "500" },
    seconds: { type: "string", default: "10" },
    transport: { type: "string", default: "websocket" },
    only: { type: "string" },
    all: { type: "boolean", default: false },
    parts: { type: "string", default: "0" },
  },
});
const [count, rate, seconds] = [Number(values.analyses), Number(values.rate), Number(values.seconds)];
/** So often in a second the worker publishes. */
const TURNS = 20;
/** With it the browser lays out and paints only lines in sight. */
const STYLE = values.all ? "" : "p { content-visibility: auto; height: 1.5em }";

const gateway = await startGateway({ ALLOWED_ORIGINS: "*", MAX_SUBSCRIPTIONS_PER_USER: "100000" });
const browser = await Chromium.start();
const pages = values.only ? [values.only] : ["bare", "sdk", "react"];
let reference: number | undefined;
for (const name of pages) {
  const trace = await watchedBy(name);
  const each = (ms: number) => ms / trace.seconds;
  reference ??= each(trace.processorMs);
  const ratio = (each(trace.processorMs) / reference).toFixed(2);
  const shares = [
    `${name}: ${each(trace.processorMs).toFixed(1)} ms of main-thread time a second`,
    `${ratio} of ${pages[0]}`,
    `${each(trace.taskMs).toFixed(1)} ms with the waits for a processor`,
    `longest task ${trace.longestTaskMs.toFixed(1)} ms`,
  ];
  console.log(shares.join(", "));
  for (const [part, ms] of trace.parts.slice(0, Number(values.parts)))
    console.log(`    ${part}: ${each(ms).toFixed(1)} ms a second`);
}
await browser.stop();
await gateway.kill9();
process.exit(0);

async function watchedBy(name: string): Promise<MainThreadTrace> {
  const script = await scriptOf(name);
  const html = `<!doctype html><style>${STYLE}</style><main></main><script src="/script.js"></script>`;
  const site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) =>
      url.endsWith(".js")
        ? new Response(script, { headers: { "Content-Type": "text/javascript" } })
        : new Response(html, { headers: { "Content-Type": "text/html" } }),
  });
  const page = await browser.openPage(site.url.href);
  const ids = Array.from({ length: count }, () => crypto.randomUUID());
  const token = await tokenFor({ analyses: "*" });
  const options: PageOptions = { url: gateway.url, token, ids, transport: values.transport };
  const seen = () => page.evaluate<SeenOnPage>("page.seen()");
  await page.evaluate(`page.begin(${JSON.stringify(options)})`);
  await eventually("all are live", async () => (await seen()).live === count, 120_000);
  // The browser tells of each frame of a socket otherwise.
  for (const domain of ["Network", "Runtime"]) await page.send(`${domain}.disable`);
  let sent = 0;
  const trace = await traced(page, async () => {
    const start = performance.now();
    for (let turn = 0; turn < seconds * TURNS; turn += 1) {
      await Bun.sleep(Math.max(0, start + (turn * 1_000) / TURNS - performance.now()));
      await publishSome(ids, sent, rate / TURNS);
      sent += rate / TURNS;
    }
  });
  await eventually(`all ${sent} events arrive`, async () => (await seen()).events === sent, 60_000);
  console.log(
    `${name}: ${(sent / trace.seconds).toFixed(0)} events a second, ${(await seen()).sockets} sockets, ${page.openRequests.length} open requests`,
  );
  await page.close();
  site.stop(true);
  return trace;
}

async function publishSome(ids: readonly string[], from: number, events: number): Promise<void> {
  const headers = { Authorization: `Bearer ${await publisherToken()}` };
  const published = Array.from({ length: events }, async (_, index) => {
    const number = from + index;
    const body = statusUpdate({ progress: (number % 100) / 100, message: `frame ${number}` });
    const answer = await fetch(`${gateway.url}/v1/analyses/${ids[number % count]}/events`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    if (answer.status !== 202) throw new Error(`${answer.status} ${await answer.text()}`);
  });
  await Promise.all(published);
}

async function scriptOf(name: string): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [new URL(`pages/${name}-page.ts`, import.meta.url).pathname],
    target: "browser",
    format: "iife",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return (outputs[0] as Blob).text();
}
