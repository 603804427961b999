import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readDocument, snippetOf } from "../support/documents.ts";
import { needs, programPath } from "../support/needs.ts";

const root = new URL("../..", import.meta.url).pathname;

/** The rules and queries, as Prometheus itself reads them. */
describe.skipIf(!needs("promtool"))("promtool", () => {
  const promtool = (...args: string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([programPath("promtool"), ...args], { cwd: root });
    return { exitCode, output: `${stdout}${stderr}` };
  };

  test("MET-5: takes the alerts, and sees each of them fire and resolve", () => {
    expect(promtool("check", "rules", "deploy/alerts.yaml")).toMatchObject({ exitCode: 0 });
    const { exitCode, output } = promtool("test", "rules", "deploy/alerts.test.yaml");
    expect([exitCode, output]).toEqual([0, expect.stringContaining("SUCCESS")]);
  });

  test("MET-5: takes the configuration that OPERATING.md shows, for the job that the alerts know", async () => {
    const folder = await mkdtemp(join(tmpdir(), "telltale-scraping-"));
    try {
      const file = join(folder, "prometheus.yaml");
      const text = snippetOf("docs/OPERATING.md", "Alerts and dashboard", "yaml");
      await writeFile(file, text);
      await writeFile(join(folder, "alerts.yaml"), readDocument("deploy/alerts.yaml"));
      expect(promtool("check", "config", file)).toMatchObject({ exitCode: 0 });
      expect(text).toContain("job_name: telltale\n");
      expect(readDocument("deploy/alerts.yaml")).toContain('job="telltale"');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("MET-5: understands every query of the dashboard", async () => {
    const { panels } = JSON.parse(readDocument("deploy/grafana/telltale.json")) as {
      panels: { targets?: { expr: string }[] }[];
    };
    const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const filled = queries.map((query) =>
      query.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*"),
    );
    const rules = filled.map((expr, index) => ({ record: `query:${index}`, expr }));
    const folder = await mkdtemp(join(tmpdir(), "telltale-queries-"));
    try {
      const file = join(folder, "queries.json");
      await writeFile(file, JSON.stringify({ groups: [{ name: "queries", rules }] }));
      const { exitCode, output } = promtool("check", "rules", file);
      expect([exitCode, output]).toEqual([0, expect.stringContaining(`${queries.length} rules found`)]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
