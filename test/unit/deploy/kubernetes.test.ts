import { describe, expect, test } from "bun:test";
import { CONFIG_VARIABLES } from "../../../src/gateway/config/variables.ts";
import { readDocument, snippetOf } from "../../support/documents.ts";
import {
  CHART,
  chartDigest,
  PLAIN_MANIFESTS,
  plainManifests,
  renderChart,
} from "../../support/helm-chart.ts";
import { faultsOfObject, type KubernetesObject } from "../../support/kubernetes-object.ts";
import { needs, programPath } from "../../support/needs.ts";

const objects = objectsIn(readDocument(PLAIN_MANIFESTS));
const the = (kind: string) => {
  const found = objects.find((object) => object.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
};
const pod = () => the("Deployment").spec.template.spec;
const container = () => pod().containers[0];
const variable = (name: string) =>
  container().env.find((one: { name: string }) => one.name === name)?.value as string | undefined;

describe("the plain manifests", () => {
  test("are made from the chart as it is: if this fails, run `npm run build:manifests`", () => {
    expect(readDocument(PLAIN_MANIFESTS)).toContain(`# ${chartDigest()}\n`);
  });

  test.each(objects.map((object) => [object.kind, object] as const))(
    "have a %s that Kubernetes' schema accepts, with no field that it does not know",
    async (_, object) => {
      expect(await faultsOfObject(object)).toEqual([]);
    },
  );

  test("are checked by something that finds a wrong type and a misspelt field", async () => {
    const spoilt = structuredClone(the("Deployment"));
    spoilt.spec.template.spec.containers[0].readinesProbe = {};
    expect(await faultsOfObject(spoilt)).toEqual([
      "/spec/template/spec/containers/0/readinesProbe is no field",
    ]);
    spoilt.spec.minReadySeconds = "soon";
    expect(await faultsOfObject(spoilt)).toEqual([expect.stringContaining("minReadySeconds")]);
  });

  test("have one object of each kind", () => {
    expect(objects.map(({ kind }) => kind).sort()).toEqual([
      "Deployment",
      "HorizontalPodAutoscaler",
      "Ingress",
      "NetworkPolicy",
      "PodDisruptionBudget",
      "Service",
      "ServiceAccount",
    ]);
  });

  test("give a gateway its pause before SIGTERM, DRAIN_SECONDS and some more before Kubernetes kills it", () => {
    const pause = container().lifecycle.preStop.sleep.seconds;
    expect(pause).toBeGreaterThan(0);
    expect(pod().terminationGracePeriodSeconds).toBe(pause + Number(variable("DRAIN_SECONDS")) + 5);
  });

  test("ask /health whether it lives, and /ready whether it takes clients", () => {
    const { startupProbe, livenessProbe, readinessProbe } = container();
    expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet)).toEqual([
      { path: "/health", port: "http" },
      { path: "/health", port: "http" },
      { path: "/ready", port: "http" },
    ]);
    // The pause before a stop is long enough for a gateway to be noticed as not ready.
    expect(readinessProbe.periodSeconds * readinessProbe.failureThreshold).toBeLessThanOrEqual(5);
  });

  test("name settings that there are, secrets only as files of the Secret that is mounted", () => {
    const known = CONFIG_VARIABLES.filter(({ implemented }) => implemented).map(({ name }) => name);
    const { mountPath } = container().volumeMounts[0];
    for (const { name, value } of container().env as { name: string; value: string }[]) {
      expect(known as string[]).toContain(name.replace(/_FILE$/, ""));
      if (name.endsWith("_FILE")) expect(value).toStartWith(`${mountPath}/`);
    }
    expect(variable("JWT_SECRET_KEY_FILE")).toBeDefined();
    expect(variable("REDIS_URL")).not.toMatch(/:[^/@]+@/);
  });

  test("run it without rights", () => {
    expect(pod()).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
    });
    expect(container().securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  test("select the pods that they make, by names of ports that these have", () => {
    const { labels } = the("Deployment").spec.template.metadata;
    const selectors = [
      the("Deployment").spec.selector.matchLabels,
      the("Service").spec.selector,
      the("PodDisruptionBudget").spec.selector.matchLabels,
      the("NetworkPolicy").spec.podSelector.matchLabels,
      ...pod().topologySpreadConstraints.map(({ labelSelector }: Selecting) => labelSelector.matchLabels),
    ];
    for (const selector of selectors) expect(labels).toMatchObject(selector);
    const ports = container().ports.map(({ name }: { name: string }) => name);
    for (const { targetPort } of the("Service").spec.ports) expect(ports).toContain(targetPort);
    expect(the("HorizontalPodAutoscaler").spec.scaleTargetRef.name).toBe(the("Deployment").metadata.name);
    expect(the("Ingress").spec.rules[0].http.paths[0].backend.service).toEqual({
      name: the("Service").metadata.name,
      port: { name: "http" },
    });
  });

  test("scale by a metric that gateways have, beside CPU", () => {
    const metrics = the("HorizontalPodAutoscaler").spec.metrics as { pods?: { metric: { name: string } } }[];
    expect(metrics.map(({ pods }) => pods?.metric.name)).toEqual(["telltale_connections", undefined]);
  });

  test("keep the metrics off the port that the Ingress leads to", () => {
    const byName = new Map(container().ports.map((port: Port) => [port.name, port.containerPort]));
    expect(variable("METRICS")).toBe(`0.0.0.0:${byName.get("metrics")}`);
    expect(variable("PORT")).toBe(`${byName.get("http")}`);
    expect(byName.get("metrics")).not.toBe(byName.get("http"));
  });

  test("have more memory than the alert of memory begins at", () => {
    const limit = Number.parseInt(container().resources.limits.memory, 10) * 1024 ** 2;
    const threshold = /telltale_process_resident_memory_bytes > (\S+)/.exec(
      readDocument("deploy/alerts.yaml"),
    );
    expect(limit).toBeGreaterThan(Number(threshold?.[1]));
  });
});

describe("docs/OPERATING.md", () => {
  const steps = snippetOf("docs/OPERATING.md", "Run it on Kubernetes", "sh");

  test("makes the Secret with every key that the chart reads", () => {
    const { secrets } = Bun.YAML.parse(readDocument(`${CHART}/values.yaml`)) as {
      secrets: { files: Record<string, string> };
    };
    const made = [...steps.matchAll(/--from-literal=([\w-]+)=/g)].map(([, key]) => key);
    expect(made.sort()).toEqual(Object.values(secrets.files).sort());
  });

  test.skipIf(!needs("helm"))("installs the chart with values that it takes", () => {
    const sets = [...steps.matchAll(/--set (\S+)/g)].flatMap(([, value = ""]) => ["--set", value]);
    expect(sets.length).toBeGreaterThan(4);
    expect(renderChart(programPath("helm"), ...sets)).toContain(
      'image: "registry.example.com/telltale:0.1.0"',
    );
  });

  test("has the adapter serve the metric by which the gateways are scaled", () => {
    const { rules } = Bun.YAML.parse(snippetOf("docs/OPERATING.md", "Run it on Kubernetes", "yaml")) as {
      rules: { seriesQuery: string }[];
    };
    const scaledBy = the("HorizontalPodAutoscaler").spec.metrics[0].pods.metric.name;
    expect(rules[0]?.seriesQuery).toStartWith(`${scaledBy}{`);
  });
});

describe("the values of the chart", () => {
  test("are the properties of their schema, each with a comment or beside one", () => {
    const schema = JSON.parse(readDocument(`${CHART}/values.schema.json`));
    const values = Bun.YAML.parse(readDocument(`${CHART}/values.yaml`)) as Record<string, unknown>;
    expect(
      Object.keys(schema.properties)
        .filter((name) => name !== "global")
        .sort(),
    ).toEqual(Object.keys(values).sort());
  });
});

describe.skipIf(!needs("helm"))("the chart, rendered by Helm", () => {
  const render = (...words: readonly string[]) => renderChart(programPath("helm"), ...words);

  test("is the plain manifests", () => {
    expect(plainManifests(render())).toBe(readDocument(PLAIN_MANIFESTS));
  });

  test("gives the Prometheus Operator the alerts, and Grafana the dashboard, as they lie in deploy/", () => {
    const switches = ["serviceMonitor", "prometheusRule", "grafanaDashboard"].map(
      (name) => `metrics.${name}=true`,
    );
    const added = objectsIn(render("--set", switches.join(",")));
    const the = (kind: string) => added.find((object) => object.kind === kind);
    expect(the("PrometheusRule")?.spec).toEqual(Bun.YAML.parse(readDocument("deploy/alerts.yaml")));
    const { data } = the("ConfigMap") as unknown as { data: Record<string, string> };
    expect(JSON.parse(data["telltale.json"] ?? "")).toEqual(
      JSON.parse(readDocument("deploy/grafana/telltale.json")),
    );
    expect(the("ServiceMonitor")?.spec.jobLabel).toBe("app.kubernetes.io/name");
    expect(the("Service")?.metadata.labels["app.kubernetes.io/name"]).toBe("telltale");
  });

  test.each([
    ["autoscaling.enabled=false,replicas=3", { replicas: 3 }],
    ["drainSeconds=60", { template: { spec: { terminationGracePeriodSeconds: 70 } } }],
    ["podDisruptionBudget.enabled=false,ingress.enabled=false,networkPolicy.enabled=false", {}],
    ["config.ALLOWED_ORIGINS=*,tolerations[0].key=spot,nodeSelector.disk=ssd", { template: {} }],
  ])("accepts %s, and Kubernetes what comes of it", async (values, expected) => {
    const rendered = objectsIn(render("--set", values));
    for (const object of rendered) expect(await faultsOfObject(object)).toEqual([]);
    expect(rendered.find(({ kind }) => kind === "Deployment")?.spec).toMatchObject(expected);
  });

  test.each([
    "replica=3",
    "config.JWT_SECRET_KEY=abc",
    "config.REDIS_URL=redis://gateway:secret@redis:6379",
    "config.NATS_URL=nats://token@nats:4222",
    "config.PORT=80",
    "preStopSeconds=0",
    "autoscaling.targetConnections=0,autoscaling.targetCPUUtilizationPercentage=0",
  ])("refuses %s", (values) => {
    expect(() => render("--set", values)).toThrow("values don't meet the specifications");
  });
});

function objectsIn(text: string): KubernetesObject[] {
  const parsed = Bun.YAML.parse(text) as (KubernetesObject | null)[];
  return parsed.filter((object) => object !== null);
}

interface Selecting {
  readonly labelSelector: { readonly matchLabels: Record<string, string> };
}

interface Port {
  readonly name: string;
  readonly containerPort: number;
}
