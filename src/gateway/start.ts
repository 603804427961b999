import { createDemo } from "../adapters/http/demo/demo-routes.ts";
import type { PageFiles } from "../adapters/http/page-routes.ts";
import { signToken } from "../adapters/jwt/token-signer.ts";
import { ProcessUsage } from "../adapters/system/process-usage.ts";
import { SystemClock } from "../adapters/system/system-clock.ts";
import { PinoTelemetry } from "../adapters/telemetry/pino-telemetry.ts";
import { PrometheusExposition } from "../adapters/telemetry/prometheus-exposition.ts";
import { ClaimsAndViewers } from "../application/access-policy.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import { notingRefusals, RecentRefusals } from "../application/recent-refusals.ts";
import { type BrokerOpener, openBroker } from "./brokers.ts";
import type { Config } from "./config/config.ts";
import { isLoopback } from "./config/demo-config.ts";
import { startCore } from "./core.ts";
import { inTime } from "./drain-gateway.ts";
import { KeyFiles } from "./key-files.ts";
import { listenForMetrics } from "./metrics-listener.ts";
import { reachable } from "./reachable.ts";
import { thisRuntime } from "./runtime.ts";
import { tokenVerifierOf } from "./tokens.ts";
import { VERSION } from "./version.ts";

export interface RunningGateway {
  readonly url: string;
  /**
   * Takes no new connections, closes the open ones with 1001, and ends. Resolves when everything is closed, or when the
   * drain time is over. `cause` is for the log.
   */
  drain(cause: string): Promise<void>;
  /** Closes every connection with 1001 at once, also during a drain. Resolves within 300 ms: then the process may end. */
  endNow(cause: string): Promise<void>;
}

/** A broker that does not let itself be closed holds nobody up for longer, nor does a drain time of 0 cut the goodbyes. */
const SHORTEST_DRAIN_MS = 250;

/**
 * Starts a gateway on a server of its own. It serves from here on, with or without its broker. `open` may open another
 * broker than the configuration names. `notes` are for the operator, as `loadConfig` gives them.
 */
export async function startGateway(
  config: Config,
  open: BrokerOpener = openBroker,
  notes: readonly string[] = [],
): Promise<RunningGateway> {
  const clock = new SystemClock();
  const telemetry = new PinoTelemetry({ level: config.logLevel, format: config.logFormat }, clock);
  for (const note of notes) telemetry.log("warn", note);
  const usage = new ProcessUsage(telemetry);
  const exposition = new PrometheusExposition(telemetry, () => {
    usage.measure();
    core.setGauges();
  });
  const opened = await open(config, clock, telemetry);
  let url = "";
  const refusals = new RecentRefusals();
  const { demoPage, listen } = await thisRuntime();
  const demo = config.demo
    ? demoOf({ config, clock, telemetry, refusals, page: demoPage, baseUrl: () => url })
    : undefined;
  const tokens = tokenVerifierOf(config, clock, telemetry);
  const core = await startCore({
    settings: config,
    clock,
    telemetry,
    tokens,
    access: new ClaimsAndViewers(config.watchDefault),
    broker: config.demo ? { ...opened, deadLetters: notingRefusals(opened.deadLetters, refusals) } : opened,
    origins: config,
    path: "",
    basePath: config.basePath,
    counters: () => telemetry.healthCounters(),
    demo: demo?.routes,
    exposition: config.metrics === "on" ? exposition : undefined,
  });
  const { app, gateway } = core;
  const server = await listen({
    host: config.host,
    port: config.port,
    app,
    services: gateway.sessions,
    policy: config,
    basePath: config.basePath,
  });
  const metrics =
    typeof config.metrics === "object"
      ? await listenForMetrics(config.metrics, exposition, config.basePath)
      : undefined;
  core.attend();
  const keyFiles = new KeyFiles(config, telemetry, (keys) => tokens.replaceKeys(keys));
  const stopLooking = keyFiles.watch(clock);
  url = `http://${reachable(config.host)}:${server.port}`;
  const runtime = "Deno" in globalThis ? "deno" : "bun";
  telemetry.set("telltale_build_info", { version: VERSION, runtime }, 1);
  const { kind } = gateway.pubSub;
  telemetry.log("info", "the gateway started", {
    url,
    version: VERSION,
    runtime,
    broker: kind,
    mode: config.mode,
  });
  return {
    url,
    async drain(cause) {
      const began = clock.now();
      const seconds = () => Math.round((clock.now() - began) / 100) / 10;
      const connections = gateway.connections.size;
      telemetry.log("info", "the gateway drains", {
        cause,
        connections,
        within_seconds: config.drainMs / 1_000,
      });
      demo?.stop();
      stopLooking();
      await inTime(clock, Math.max(config.drainMs, SHORTEST_DRAIN_MS), core.drain(server));
      metrics?.close();
      usage.stop();
      telemetry.log("info", "the gateway stopped", {
        after_seconds: seconds(),
        connections_closed: connections,
      });
      telemetry.flush();
    },
    async endNow(cause) {
      telemetry.log("warn", "the gateway ends at once", { cause, connections: gateway.connections.size });
      await core.sendAwayNow();
      telemetry.flush();
    },
  };
}

interface DemoParts {
  readonly config: Config;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly refusals: RecentRefusals;
  readonly page: PageFiles;
  readonly baseUrl: () => string;
}

function demoOf({ config, clock, telemetry, refusals, page, baseUrl }: DemoParts) {
  const [secret = ""] = config.jwt.secrets;
  return createDemo({
    page,
    ownNamesOnly: isLoopback(config.host),
    baseUrl,
    clock,
    refusals,
    mintToken: (request) => signToken(secret, request, clock.now(), config.jwt.rules),
    onFault: (analysis, error) =>
      telemetry.log("error", "the demo could not publish", { analysis, message: String(error) }),
  });
}
