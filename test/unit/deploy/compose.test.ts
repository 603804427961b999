import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { CONFIG_VARIABLES } from "../../../src/gateway/config/variables.ts";
import { readDocument } from "../../support/documents.ts";

interface Service {
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly stop_grace_period?: string;
}

const root = new URL("../../../", import.meta.url).pathname;
const { services, secrets } = Bun.YAML.parse(readDocument("compose.yaml")) as {
  services: Record<string, Service>;
  secrets: Record<string, { file: string }>;
};
const yaml = (path: string) => Bun.YAML.parse(readFileSync(root + path, "utf8"));

describe("compose.yaml", () => {
  test("mounts files and folders that there are", () => {
    const mounts = Object.values(services).flatMap(({ volumes = [] }) => volumes);
    const own = mounts.filter((mount) => mount.startsWith("./")).map((mount) => mount.split(":")[0] ?? "");
    expect(own.length).toBeGreaterThan(4);
    expect(own.filter((path) => !existsSync(root + path))).toEqual([]);
  });

  test("reads no secret but those that its script makes, each from a file of its name", () => {
    const script = readFileSync(`${root}deploy/compose/make-secrets.sh`, "utf8");
    for (const [name, { file }] of Object.entries(secrets)) {
      expect(file).toEndWith(`/${name}`);
      expect(script).toContain(name);
    }
  });

  test("gives its gateways settings that there are, and time to drain", () => {
    const known = CONFIG_VARIABLES.filter(({ implemented }) => implemented).map(
      ({ name }) => name,
    ) as string[];
    for (const name of ["gateway-1", "gateway-2"]) {
      const { environment = {}, stop_grace_period } = services[name] ?? {};
      expect(
        Object.keys(environment)
          .map((one) => one.replace(/_FILE$/, ""))
          .filter((one) => !known.includes(one)),
      ).toEqual([]);
      const seconds = (text = "") => Number(/:-(\d+)s?\}/.exec(text)?.[1]);
      expect(seconds(stop_grace_period)).toBe(seconds(environment.DRAIN_SECONDS ?? "") + 5);
    }
  });

  test("gives Grafana the dashboard of deploy/, and its Prometheus as the data source", () => {
    const mounts = services.grafana?.volumes ?? [];
    const { providers } = yaml("deploy/compose/grafana/dashboards.yaml") as {
      providers: { options: { path: string } }[];
    };
    expect(mounts).toContain(`./deploy/grafana:${providers[0]?.options.path}:ro`);
    const { datasources } = yaml("deploy/compose/grafana/datasource.yaml") as {
      datasources: { url: string; type: string; isDefault: boolean }[];
    };
    expect(datasources[0]).toMatchObject({
      type: "prometheus",
      url: "http://prometheus:9090",
      isDefault: true,
    });
  });

  test("has Prometheus scrape each gateway under the name of the job that the alerts know", () => {
    const { scrape_configs } = yaml("deploy/compose/prometheus.yaml") as {
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    };
    expect(scrape_configs.map(({ job_name }) => job_name)).toEqual(["telltale"]);
    expect(scrape_configs[0]?.static_configs[0]?.targets).toEqual(["gateway-1:8000", "gateway-2:8000"]);
    expect(readDocument("deploy/alerts.yaml")).toContain('job="telltale"');
  });
});
