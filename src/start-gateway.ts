import { createDemo } from "./adapters/http/demo/demo-routes.ts";
import { gatewayApp } from "./adapters/http/gateway-app.ts";
import { signToken } from "./adapters/jwt/token-signer.ts";
import type { ClockPort } from "./application/ports/clock-port.ts";
import type { Config } from "./config.ts";
import { createGateway, type Gateway } from "./container.ts";
import { reachable } from "./health-command.ts";
import { listen } from "./listen.ts";
import demoPage from "./web/demo/index.html";

export interface RunningGateway {
  readonly url: string;
  /** Takes no new connections, says goodbye to those that are open, and ends. Resolves when all is closed. */
  drain(): Promise<void>;
}

/** Tokens and silence are looked at this often, or four times a heartbeat where that is shorter. */
const SWEEP_MS = 250;

/** Starts a gateway. It serves from here on, with or without its broker: `/ready` says which. */
export async function startGateway(config: Config): Promise<RunningGateway> {
  const gateway = createGateway(config);
  const { telemetry, clock } = gateway;
  let draining = false;
  let url = "";
  const demo = config.mode === "development" ? demoOf(gateway, () => url) : undefined;
  const app = gatewayApp({
    ...gateway,
    origins: config,
    counters: () => telemetry.counters(),
    draining: () => draining,
    demo: demo?.routes,
  });
  const server = listen({
    host: config.host,
    port: config.port,
    app,
    services: gateway.sessions,
    policy: config,
    pages: demo === undefined ? {} : { "/": demoPage },
  });
  url = `http://${reachable(config.host)}:${server.port}`;
  const stopSweeping = clock.every(Math.min(SWEEP_MS, config.heartbeatIntervalMs / 4), () => {
    gateway.heartbeats.execute();
    gateway.expire.execute();
  });
  listenToWorkers(gateway);

  return {
    url,
    async drain() {
      draining = true;
      server.stopAccepting();
      demo?.stop();
      const { drainMs } = config;
      // What workers were heard to say, and requests under way, are finished first.
      await Promise.all([gateway.drain.execute(), inTime(clock, drainMs, gateway.adopt.settled())]);
      stopSweeping();
      await inTime(clock, drainMs, server.answered());
      await server.stop();
      await gateway.close();
    },
  };
}

/** Waits for something, but no longer than the drain may take. */
async function inTime(clock: ClockPort, milliseconds: number, done: Promise<void>): Promise<void> {
  let cancel = () => {};
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(milliseconds, resolve);
  });
  await Promise.race([done, late]);
  cancel();
}

/** Not waited for: a gateway without its broker serves what it can, and hears again when the broker is back. */
function listenToWorkers({ workers, adopt, telemetry }: Gateway): void {
  workers
    .listen((message) => adopt.execute(message))
    .catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      telemetry.log("error", "workers cannot be heard", { message });
    });
}

function demoOf(gateway: Gateway, baseUrl: () => string) {
  const { config, clock, telemetry } = gateway;
  return createDemo({
    baseUrl,
    clock,
    mintToken: ({ scopes, ...claims }) =>
      signToken(config.jwt.secret, { ...claims, scopes: scopes }, clock.now()),
    onFault: (analysis, error) =>
      telemetry.log("error", "the demo could not publish", { analysis, message: String(error) }),
  });
}
