import { CHART, PLAIN_MANIFESTS, plainManifests, renderChart } from "../test/support/helm-chart.ts";

/** `npm run build:manifests` writes the plain manifests anew from the chart. Needs helm on PATH, 3.18 or newer. */
const helm = Bun.which("helm");
if (helm === null) {
  console.error("helm is not installed; it renders the chart");
  process.exit(1);
}
await Bun.write(new URL(`../${PLAIN_MANIFESTS}`, import.meta.url), plainManifests(renderChart(helm)));
console.log(`Wrote ${PLAIN_MANIFESTS} from ${CHART}.`);
