import { createDemo } from "../adapters/http/demo/demo-routes.ts";
import type { PageFiles } from "../adapters/http/page-routes.ts";
import { JoseTokenVerifier } from "../adapters/jwt/jose-token-verifier.ts";
import { signToken } from "../adapters/jwt/token-signer.ts";
import { SystemClock } from "../adapters/system/system-clock.ts";
import { PinoTelemetry } from "../adapters/telemetry/pino-telemetry.ts";
import { ClaimsAndViewers } from "../application/access-policy.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import { notingRefusals, RecentRefusals } from "../application/recent-refusals.ts";
import { type BrokerOpener, openBroker } from "./brokers.ts";
import type { Config } from "./config/config.ts";
import { isLoopback } from "./config/demo-config.ts";
import { startCore } from "./core.ts";
import { reachable } from "./reachable.ts";
import { thisRuntime } from "./runtime.ts";

export interface RunningGateway {
  readonly url: string;
  /** Takes no new connections, closes the open ones with 1001, and ends. Resolves when everything is closed. */
  drain(): Promise<void>;
}

/**
 * Starts a gateway on a server of its own. It serves from here on, with or without its broker. `open` may open another
 * broker than the configuration names.
 */
export async function startGateway(config: Config, open: BrokerOpener = openBroker): Promise<RunningGateway> {
  const clock = new SystemClock();
  const telemetry = new PinoTelemetry(config.logLevel, clock);
  const opened = await open(config, clock, telemetry);
  let url = "";
  const refusals = new RecentRefusals();
  const { demoPage, listen } = await thisRuntime();
  const demo = config.demo
    ? demoOf({ config, clock, telemetry, refusals, page: demoPage, baseUrl: () => url })
    : undefined;
  const core = await startCore({
    settings: config,
    clock,
    telemetry,
    tokens: new JoseTokenVerifier(config.jwt.secret, clock),
    access: new ClaimsAndViewers(config.watchDefault),
    broker: config.demo ? { ...opened, deadLetters: notingRefusals(opened.deadLetters, refusals) } : opened,
    origins: config,
    path: "",
    counters: () => telemetry.healthCounters(),
    demo: demo?.routes,
  });
  const { app, gateway } = core;
  const server = await listen({
    host: config.host,
    port: config.port,
    app,
    services: gateway.sessions,
    policy: config,
  });
  core.attend();
  url = `http://${reachable(config.host)}:${server.port}`;
  return {
    url,
    async drain() {
      demo?.stop();
      await core.drain(server);
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
  return createDemo({
    page,
    ownNamesOnly: isLoopback(config.host),
    baseUrl,
    clock,
    refusals,
    mintToken: ({ scopes, ...claims }) => signToken(config.jwt.secret, { ...claims, scopes }, clock.now()),
    onFault: (analysis, error) =>
      telemetry.log("error", "the demo could not publish", { analysis, message: String(error) }),
  });
}
