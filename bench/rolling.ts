import { rollGateways } from "../test/faults/roll-gateways.ts";
import { startRedis } from "../test/support/redis-server.ts";

/**
 * `npx bun run bench/rolling.ts [CLIENTS]`: two gateways on one Redis are restarted one after the other under 2,000 clients
 * and a steady stream of events. Exit code 1 if an event was lost or doubled, if a connection ended without a word, or if
 * more than a third of the clients came back within one second.
 */
const STREAMS = "BUN_CONFIG_MAX_HTTP_REQUESTS";
const MANY = "65336";
if (process.env[STREAMS] !== MANY) {
  // By default Bun has 256 requests under way: too few for the streams of the clients.
  const again = Bun.spawnSync([process.execPath, ...process.argv.slice(1)], {
    env: { ...process.env, [STREAMS]: MANY },
    stdio: ["ignore", "inherit", "inherit"],
  });
  process.exit(again.exitCode);
}

const clients = Number(process.argv[2] ?? 2_000);
const redis = await startRedis();
const report = await rollGateways({
  clients,
  analyses: 100,
  eventsPerSecond: 50,
  drainSeconds: 10,
  env: { REDIS_URL: redis.url },
});
await redis.stop();
const { events, deliveries, lost, doubled, ends, returns, busiestSecond, exitCodes, drains } = report;
console.log(
  `${clients} clients, ${events} events, ${deliveries} deliveries: ${lost} lost, ${doubled} doubled`,
);
console.log(
  `ends by code: ${JSON.stringify(Object.fromEntries(ends))}; ${returns} came back, ${busiestSecond} of them in the busiest second`,
);
console.log(
  `the gateways left after ${drains.map((seconds) => seconds.toFixed(1)).join(" s and ")} s, with ${exitCodes.join(" and ")}`,
);
const isClean =
  lost + doubled + (ends.get(1006) ?? 0) === 0 &&
  busiestSecond <= clients / 3 &&
  exitCodes.every((code) => code === 0);
process.exit(isClean ? 0 : 1);
