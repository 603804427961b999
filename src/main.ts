import { readFileSync } from "node:fs";
import { type Config, loadConfig } from "./gateway/config/config.ts";
import { askHealth } from "./gateway/health-command.ts";
import { type RunningGateway, startGateway } from "./gateway/start.ts";

/** The exit code of a configuration fault (EX_CONFIG of sysexits). */
const EXIT_CONFIG = 78;

const asksHealth = process.argv[2] === "health";
const config = configuredOrExit();
if (asksHealth) process.exit(await askHealth(config.host, config.port));

let gateway: RunningGateway | undefined;
endOnSignal(() => gateway);
try {
  gateway = await startGateway(config);
  console.log(`Telltale answers at ${gateway.url}`);
} catch (error) {
  console.error(`Telltale could not start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

function configuredOrExit(): Config {
  const loaded = loadConfig(process.env, (path) => readFileSync(path, "utf8"));
  // The gateway whose health is asked said them at its start.
  if (!asksHealth) for (const note of loaded.notes) console.error(note);
  if (loaded.ok) return loaded.config;
  for (const { name, message } of loaded.faults) console.error(`${name}: ${message}`);
  process.exit(EXIT_CONFIG);
}

/** The first signal drains, where anything runs yet; a second one does not wait for it. */
function endOnSignal(started: () => RunningGateway | undefined): void {
  let ending = false;
  const end = (signal: string) => {
    if (ending) process.exit(1);
    ending = true;
    const running = started();
    // A start may wait for its broker; until it has, nobody is served who could miss a goodbye.
    if (running === undefined) process.exit(0);
    running.drain().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(`Telltale could not end cleanly after ${signal}: ${String(error)}`);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => end("SIGTERM"));
  process.on("SIGINT", () => end("SIGINT"));
}
