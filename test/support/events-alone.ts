/** A gateway as `src/main.ts` starts it, on a broker that has neither worker channels nor an inbox. */
import { openMemoryBroker } from "../../src/adapters/memory/memory-broker.ts";
import { loadConfig } from "../../src/gateway/config/config.ts";
import { startGateway } from "../../src/gateway/start.ts";

const loaded = loadConfig(process.env, () => "");
if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
const gateway = await startGateway(loaded.config, (config, clock, telemetry) => {
  const history = { size: config.historySize, ttlMs: config.historyTtlMs };
  const { events, deadLetters } = openMemoryBroker({ clock, telemetry, history });
  return { events, deadLetters };
});
process.on("SIGTERM", () => void gateway.drain("SIGTERM").then(() => process.exit(0)));
console.log(`Telltale answers at ${gateway.url}`);
