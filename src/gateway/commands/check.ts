import type { Command } from "commander";
import { SystemClock } from "../../adapters/system/system-clock.ts";
import { QuietTelemetry } from "../../adapters/telemetry/quiet-telemetry.ts";
import { reasonOf } from "../../application/errors.ts";
import type { BrokerHealth } from "../../application/ports/broker-health.ts";
import {
  type BrokerCapability,
  type BrokerPorts,
  capabilitiesOf,
  closeBroker,
  missingCapabilities,
} from "../../application/ports/broker-ports.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import { openBroker } from "../brokers.ts";
import { CommandFailed, EXIT, readConfig } from "./command-failed.ts";

/** The longest that the command waits for the broker, as long as a gateway takes to notice that it refuses. */
const PATIENCE_MS = 5_000;
const LOOK_AGAIN_MS = 20;

const WITHOUT: Readonly<Record<BrokerCapability, string>> = {
  worker_channels: "no gateway hears plain messages of workers (analysis:*, user:*, system:updates)",
  inbox: "messages of workers are not kept while no gateway runs",
};

/**
 * `telltale check`: reads the configuration and tries the broker, and starts no gateway. The exit code is 78 if the
 * configuration has a fault, and 1 if the broker cannot be used now.
 */
export function addCheck(command: Command): void {
  command
    .description("reads the configuration and tries the broker; run it with the gateway's environment")
    .action(async () => {
      const config = readConfig(process.env, (note) => line("note", note));
      line("configuration", "ok");
      const clock = new SystemClock();
      const broker = await openBroker(config, clock, new QuietTelemetry());
      try {
        await tryBroker(broker, clock);
      } finally {
        await closeBroker(broker);
      }
    });
}

async function tryBroker(broker: BrokerPorts, clock: ClockPort): Promise<void> {
  line("broker", broker.events.kind);
  const trouble = troubleOf(await settledHealth(broker, clock)) ?? (await troubleOfParts(broker));
  line("capabilities", capabilitiesOf(broker).join(", "));
  for (const capability of missingCapabilities(broker))
    line("missing", `${capability}: ${WITHOUT[capability]}`);
  for (const warning of broker.events.health().warnings) line("warning", warning);
  if (trouble !== undefined) throw new CommandFailed(EXIT.notDone, `the broker cannot be used: ${trouble}`);
  line("append", "an event would be stored");
}

/** Resolves with the health of the broker once it would store an event, or after `PATIENCE_MS`. */
async function settledHealth({ events }: BrokerPorts, clock: ClockPort): Promise<BrokerHealth> {
  const deadline = clock.now() + PATIENCE_MS;
  while (troubleOf(events.health()) !== undefined && clock.now() < deadline) {
    await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve));
  }
  return events.health();
}

function troubleOf(health: BrokerHealth): string | undefined {
  return health.status === "down" ? health.reason : health.refuses?.reason;
}

/** The reason why a part beside the event log cannot be read; undefined if all of them can. */
async function troubleOfParts({ deadLetters, inbox }: BrokerPorts): Promise<string | undefined> {
  try {
    for await (const _ of deadLetters.read("newest")) break;
    await inbox?.backlog();
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function line(name: string, text: string): void {
  console.log(`${name.padEnd(15)}${text}`);
}
