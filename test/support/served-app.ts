import type { Hono } from "hono";
import { thisRuntime } from "../../src/gateway/runtime.ts";
import type { OriginPolicy } from "../../src/session/origin-policy.ts";
import { appBench } from "../unit/adapters/http/app-bench.ts";
import { turn } from "./turn.ts";

const NOBODY_IN_PARTICULAR: OriginPolicy = { allowedOrigins: undefined, mode: "production" };

export type ServedApp = Awaited<ReturnType<typeof servedApp>>;

/**
 * Everything the gateway answers, on a real server and a free port, by a clock that the test moves. The server is that of
 * the runtime which runs the test.
 */
export async function servedApp(policy: Partial<OriginPolicy> = {}, demo?: Hono) {
  const bench = appBench(policy, demo);
  let arrivals = 0;
  const arrived = new Set<() => void>();
  const { listen } = await thisRuntime();
  const server = await listen({
    host: "127.0.0.1",
    port: 0,
    app: {
      fetch: (request, ...more) => {
        const answer = bench.app.fetch(request, ...more);
        arrivals++;
        for (const look of arrived) look();
        return answer;
      },
    },
    services: bench.sessions,
    policy: { ...NOBODY_IN_PARTICULAR, ...policy },
  });

  return {
    ...bench,
    port: server.port,
    stop: () => server.stop(),
    /** Resolves when so many requests in all have reached the gateway and it has done all that it can for now. */
    async arrivals(count: number): Promise<void> {
      const enough = Promise.withResolvers<void>();
      const look = () => arrivals >= count && enough.resolve();
      arrived.add(look);
      look();
      await enough.promise;
      arrived.delete(look);
      await turn();
    },
  };
}
