import type { Command } from "commander";
import { SystemClock } from "../../adapters/system/system-clock.ts";
import { QuietTelemetry } from "../../adapters/telemetry/quiet-telemetry.ts";
import { wordsOf } from "../../application/broker-trouble.ts";
import { BrokerError, reasonOf } from "../../application/errors.ts";
import { partsOfPorts } from "../../application/parts-of-ports.ts";
import type { BrokerFault, BrokerHealth } from "../../application/ports/broker-health.ts";
import {
  type BrokerPorts,
  capabilitiesOf,
  closeBroker,
  missingCapabilities,
} from "../../application/ports/broker-ports.ts";
import type { BrokerPart, BrokerSelfCheck } from "../../application/ports/broker-self-check.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import { openBroker } from "../brokers.ts";
import { type CheckReport, linesOf, type PartReport } from "./check-report.ts";
import { CommandFailed, EXIT, readConfig } from "./command-failed.ts";

/** The longest that the command waits for the first answer of the broker, and then for a good one. */
const PATIENCE_MS = { connecting: 10_000, refused: 3_000 };
const LOOK_AGAIN_MS = 20;

/**
 * `telltale check`: reads the configuration and tries the broker part by part, and starts no gateway. The exit code is 0 if
 * a gateway would find all that it needs, 1 if it would not now, and 78 if the configuration has a fault.
 */
export function addCheck(command: Command): void {
  command
    .description("reads the configuration and tries the broker; run it with the gateway's environment")
    .option("--json", "write one JSON object instead of lines")
    .action(async ({ json = false }: { readonly json?: boolean }) => {
      const notes: string[] = [];
      const config = readConfig(process.env, (note) => notes.push(note));
      const clock = new SystemClock();
      const broker = await openBroker(config, clock, new QuietTelemetry());
      try {
        const report = { notes, ...(await tryBroker(broker, clock)) };
        console.log(json ? JSON.stringify(report) : linesOf(report).join("\n"));
        if (report.broken !== undefined)
          throw new CommandFailed(EXIT.notDone, `the broker cannot be used: ${report.broken}`);
      } finally {
        await closeBroker(broker);
      }
    });
}

async function tryBroker(broker: BrokerPorts, clock: ClockPort): Promise<Omit<CheckReport, "notes">> {
  // While it settles, a broker makes what a gateway needs there.
  const trouble = (await settledFault(broker, clock))?.reason;
  const selfCheck = broker.selfCheck?.();
  try {
    const version = await versionOf(selfCheck);
    const parts = [];
    for (const part of selfCheck?.parts ?? partsOfPorts(broker)) parts.push(await tried(part));
    const missing = parts.filter(({ works }) => !works).map(({ name }) => name);
    return {
      broker: broker.events.kind,
      servers: selfCheck?.servers ?? [],
      version,
      capabilities: capabilitiesOf(broker),
      missing: missingCapabilities(broker),
      warnings: broker.events.health().warnings,
      parts,
      broken: trouble ?? (missing.length === 0 ? undefined : `not all of it works: ${missing.join(", ")}`),
    };
  } finally {
    await selfCheck?.close();
  }
}

/** Resolves with undefined once the broker would store an event, or with why it would not after `PATIENCE_MS`. */
async function settledFault({ events }: BrokerPorts, clock: ClockPort): Promise<BrokerFault | undefined> {
  const since = clock.now();
  for (;;) {
    const fault = faultOf(events.health());
    if (fault === undefined) return undefined;
    const patience = fault.cause === "connecting" ? PATIENCE_MS.connecting : PATIENCE_MS.refused;
    if (clock.now() - since >= patience) return fault;
    await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve));
  }
}

function faultOf(health: BrokerHealth): BrokerFault | undefined {
  return health.status === "down" ? health : health.refuses;
}

/** Undefined if no server answers as well: the parts then say why. */
async function versionOf(selfCheck: BrokerSelfCheck | undefined): Promise<string | undefined> {
  try {
    return await selfCheck?.version();
  } catch (error) {
    if (error instanceof BrokerError) return undefined;
    throw error;
  }
}

async function tried(part: BrokerPart): Promise<PartReport> {
  try {
    return { name: part.name, ...(await part.try()) };
  } catch (error) {
    const reason = error instanceof BrokerError ? wordsOf(error.trouble) : reasonOf(error);
    return { name: part.name, works: false, reason, hint: "" };
  }
}
