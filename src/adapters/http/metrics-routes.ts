import { Hono } from "hono";

/** The metrics of the process as Prometheus reads them. */
export interface Exposition {
  readonly contentType: string;
  /** Resolves with every metric, measured now. */
  text(): Promise<string>;
}

/** The route of the metrics. It asks for no token: no label holds an id, or a text of anybody. */
export function metricsRoutes(exposition: Exposition): Hono {
  const routes = new Hono();
  routes.get("/metrics", async (context) =>
    context.body(await exposition.text(), 200, { "Content-Type": exposition.contentType }),
  );
  return routes;
}
