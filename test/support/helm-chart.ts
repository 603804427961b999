import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url).pathname;
export const CHART = "deploy/helm/telltale";
/** The chart with its own values, for those who use no Helm. */
export const PLAIN_MANIFESTS = "deploy/kubernetes/telltale.yaml";

/** The output of `helm template` with these words. Throws with Helm's message if it refuses. */
export function renderChart(helm: string, ...words: readonly string[]): string {
  const command = [
    helm,
    "template",
    "telltale",
    CHART,
    "--namespace=telltale",
    "--kube-version=1.33.0",
    ...words,
  ];
  const { success, stdout, stderr } = Bun.spawnSync(command, { cwd: root, stdout: "pipe", stderr: "pipe" });
  if (!success) throw new Error(String(stderr));
  return `${stdout}`;
}

/** The plain manifests: the rendered chart under a line that names the chart's files by their digest. */
export function plainManifests(rendered: string): string {
  const head = [
    "# Made from the chart by scripts/render-chart.ts; change that instead. Its files have the digest",
    `# ${chartDigest()}`,
  ];
  return `${[...head, rendered.replace(/^# Source: .*\n/gm, "").trim()].join("\n")}\n`;
}

/** SHA-256 over the names and texts of everything that decides what the chart renders. */
export function chartDigest(): string {
  const folder = `${root}${CHART}/`;
  const templates = [...new Bun.Glob("templates/*").scanSync({ cwd: folder })].sort();
  const digest = createHash("sha256");
  for (const name of ["Chart.yaml", "values.yaml", ...templates])
    digest.update(`${name}\n${readFileSync(folder + name, "utf8")}\n`);
  return digest.digest("hex");
}
