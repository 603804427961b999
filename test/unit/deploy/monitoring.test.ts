import { describe, expect, test } from "bun:test";
import { METRICS } from "../../../src/application/ports/metric-catalogue.ts";
import { readDocument, sectionOf, tablesIn } from "../../support/documents.ts";
import { faultsOfQuery, metricsIn } from "../../support/metric-queries.ts";

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource: unknown;
  }[];
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly action: string };
}

const dashboard = JSON.parse(readDocument("deploy/grafana/telltale.json")) as Dashboard;
const { groups } = Bun.YAML.parse(readDocument("deploy/alerts.yaml")) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

describe("faultsOfQuery()", () => {
  test.each([
    ["telltale_nothing_total", "is no metric"],
    ['node_load1{job="telltale"} > 1', "is no metric"],
    ["rate(telltale_delivery_seconds[5m])", "is no metric"],
    ["rate(telltale_ready[5m])", "is a gauge"],
    ["telltale_conflated_total > 1", "is a counter"],
    ['rate(telltale_refused_total{code="4001"}[5m])', "has no label code"],
    ['rate(telltale_refused_total{reason=~"not_allowed|evil"}[5m])', "reason is never evil"],
    ["sum by (reason) (rate(telltale_conflated_total[5m]))", "by (reason)"],
  ])("finds the fault of %s", (query, fault) => {
    expect(faultsOfQuery(query).join()).toContain(fault);
  });
});

test("faultsOfQuery() knows the metric that Prometheus writes of each target", () => {
  expect(faultsOfQuery('up{job="telltale"} == 0 or absent(up{job="telltale"})')).toEqual([]);
});

describe("the dashboard", () => {
  const targets = dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => [title, expr] as const),
  );

  test.each(targets)("%s asks for what the catalogue has: %s", (_, query) => {
    expect(faultsOfQuery(query)).toEqual([]);
    expect(metricsIn(query)).not.toEqual([]);
  });

  test("shows every metric of the catalogue", () => {
    const shown = new Set(targets.flatMap(([, query]) => metricsIn(query)));
    expect(Object.keys(METRICS).filter((name) => !shown.has(name))).toEqual([]);
  });

  test("has panels that do not overlap, each on the data source that is chosen", () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = new Set<string>();
    for (const { gridPos, title, type, targets = [], datasource } of panels) {
      expect([title, gridPos.x >= 0 && gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, cells.has(`${x} ${y}`)]).toEqual([title, false]);
          cells.add(`${x} ${y}`);
        }
      }
      if (type === "row") continue;
      expect(["timeseries", "stat"]).toContain(type);
      expect(datasource?.uid).toBe(["$", "{datasource}"].join(""));
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
    }
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(["datasource", "instance"]);
  });
});

describe("the alerts", () => {
  test.each(rules.map(({ alert, expr }) => [alert, expr] as const))(
    "%s asks for what the catalogue has",
    (_, query) => {
      expect(faultsOfQuery(query)).toEqual([]);
    },
  );

  test("say what happened and what to do, and each has a test in which it fires and one in which it does not", () => {
    const { tests } = Bun.YAML.parse(readDocument("deploy/alerts.test.yaml")) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[];
    };
    const checks = tests.flatMap(({ alert_rule_test }) => alert_rule_test);
    for (const { alert, labels, annotations } of rules) {
      expect(["warning", "critical"]).toContain(labels.severity);
      expect([alert, annotations.summary, annotations.action]).toEqual([
        alert,
        expect.stringMatching(/\.$/),
        expect.stringMatching(/\.$/),
      ]);
      const own = checks.filter(({ alertname }) => alertname === alert);
      const fires = own.map(({ exp_alerts = [] }) => exp_alerts.length > 0);
      expect([alert, fires[0], fires.at(-1), fires.includes(true)]).toEqual([alert, false, false, true]);
    }
  });

  test("tell of a gateway that is gone, and of one that starts again and again", () => {
    const queries = rules.map(({ expr }) => expr).join("\n");
    expect(queries).toContain('up{job="telltale"} == 0 or absent(up{job="telltale"})');
    expect(queries).toContain("changes(telltale_process_start_time_seconds[15m])");
  });

  test("are listed in OPERATING.md", () => {
    const rows = tablesIn(sectionOf(readDocument("docs/OPERATING.md"), "Alerts and dashboard"))[0] ?? [];
    expect(rows.map(([name]) => name?.replaceAll("`", ""))).toEqual(rules.map(({ alert }) => alert));
  });
});
