import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../src/testing/eventually.ts";
import { remember } from "./children.ts";
import { readDocument } from "./documents.ts";
import { freePort } from "./free-port.ts";
import { programPath } from "./needs.ts";

/** A Prometheus that scrapes one gateway each second, with the alerts of `deploy`. */
export interface RunningPrometheus {
  /** The names of the alerts that fire now. */
  firing(): Promise<ReadonlySet<string>>;
  /** The numbers that a query has for an answer now, one for each series. */
  values(query: string): Promise<readonly number[]>;
  stop(): Promise<void>;
}

/** Starts it, and resolves once it has scraped the gateway at `target` (`host:port`). */
export async function startPrometheus(target: string): Promise<RunningPrometheus> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-prometheus-"));
  const port = await freePort();
  await writeFile(join(folder, "alerts.yaml"), sixtyTimesFaster(readDocument("deploy/alerts.yaml")));
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "900ms", evaluation_interval: "500ms" },
    rule_files: ["alerts.yaml"],
    scrape_configs: [{ job_name: "telltale", static_configs: [{ targets: [target] }] }],
  };
  await writeFile(join(folder, "prometheus.json"), JSON.stringify(config));
  const child = Bun.spawn(
    [
      programPath("prometheus"),
      `--config.file=${folder}/prometheus.json`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
  );
  remember(child);
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json();
  await eventually("Prometheus has scraped the gateway", async () => {
    const answer = (await ask("query?query=telltale_ready").catch(() => undefined)) as Answer | undefined;
    return (answer?.data.result?.length ?? 0) > 0;
  });
  return {
    async firing() {
      const { data } = (await ask("alerts")) as Answer;
      const alerts = data.alerts ?? [];
      return new Set(alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels.alertname));
    },
    async values(query) {
      const { data } = (await ask(`query?query=${encodeURIComponent(query)}`)) as Answer;
      return (data.result ?? []).map(({ value: [, text] }) => Number(text));
    },
    async stop() {
      child.kill("SIGTERM");
      await child.exited;
      await rm(folder, { recursive: true });
    },
  };
}

/**
 * The same expressions, in a world where a minute is a second. A quarter of an hour is a minute, since a gateway starts no faster
 * there.
 */
function sixtyTimesFaster(rules: string): string {
  return rules
    .replaceAll("[15m]", "[60s]")
    .replace(/\[(\d+)m\]/g, "[$1s]")
    .replace(/^(\s+for: )(\d+)m$/gm, "$1$2s")
    .replace(/^(\s+for: )30s$/gm, "$1500ms");
}

interface Answer {
  readonly data: {
    readonly result?: readonly { readonly value: readonly [number, string] }[];
    readonly alerts?: readonly { readonly state: string; readonly labels: { readonly alertname: string } }[];
  };
}
