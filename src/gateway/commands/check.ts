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
import { givenTokenPart } from "./check-given-token.ts";
import { type CheckReport, linesOf, type PartReport } from "./check-report.ts";
import { tokenParts } from "./check-tokens.ts";
import { CommandFailed, readConfig } from "./command-failed.ts";
import { addExamples } from "./command-help.ts";
import { EXIT } from "./exit-codes.ts";
import { givenToken } from "./gateway-access.ts";
import { printableJson, printableLines } from "./printable.ts";
import { out } from "./standard-streams.ts";

/** The longest that the command waits for the first answer of the broker, and then for a good one. */
const PATIENCE_MS = { connecting: 10_000, refused: 3_000 };
const LOOK_AGAIN_MS = 20;

/**
 * `telltale check`: reads the configuration and tries the broker part by part, and starts no gateway. The exit code is 0 if
 * a gateway would find all that it needs, 1 if it would not now, and 78 if the configuration has a fault.
 */
export function addCheck(command: Command): void {
  addExamples(
    command,
    ["telltale check && telltale", "starts the gateway only if it would find all that it needs"],
    ["TELLTALE_TOKEN=$TOKEN telltale check", "says as well whether a gateway takes the token, and why not"],
    ["telltale check --json", "for scripts; `broken` says why the broker cannot be used"],
    ["docker run --rm --env-file gateway.env telltale check", "with the image"],
  );
  command
    .description("reads the configuration and tries the broker; run it with the gateway's environment")
    .option("--json", "writes one JSON object instead of lines")
    .action(async ({ json = false }: { readonly json?: boolean }) => {
      const notes: string[] = [];
      const config = readConfig(process.env, (note) => notes.push(note));
      const token = givenToken()?.();
      const clock = new SystemClock();
      const broker = await openBroker(config, clock, new QuietTelemetry());
      try {
        const tokens = await triedAll([
          ...tokenParts(config),
          ...(token === undefined ? [] : [givenTokenPart(config, token)]),
        ]);
        const report = { notes, tokens, ...(await tryBroker(broker, clock)) };
        out(`${json ? printableJson(JSON.stringify(report)) : printableLines(linesOf(report).join("\n"))}\n`);
        if (report.broken !== undefined)
          throw new CommandFailed(EXIT.notDone, `the broker cannot be used: ${report.broken}`);
        const failed = failedOf(tokens);
        if (failed.length > 0)
          throw new CommandFailed(EXIT.notDone, `tokens cannot be verified: ${failed.join(", ")}`);
      } finally {
        await closeBroker(broker);
      }
    });
}

async function tryBroker(
  broker: BrokerPorts,
  clock: ClockPort,
): Promise<Omit<CheckReport, "notes" | "tokens">> {
  // While it settles, a broker makes what a gateway needs there.
  const trouble = (await settledFault(broker, clock))?.reason;
  const selfCheck = broker.selfCheck?.();
  try {
    const version = await versionOf(selfCheck);
    const parts = await triedAll(selfCheck?.parts ?? partsOfPorts(broker));
    const missing = failedOf(parts);
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

/** One after the other, so that the trial of one part does not disturb another. */
async function triedAll(parts: readonly BrokerPart[]): Promise<PartReport[]> {
  const reports: PartReport[] = [];
  for (const part of parts) reports.push(await tried(part));
  return reports;
}

function failedOf(parts: readonly PartReport[]): string[] {
  return parts.filter(({ works }) => !works).map(({ name }) => name);
}

async function tried(part: BrokerPart): Promise<PartReport> {
  try {
    return { name: part.name, ...(await part.try()) };
  } catch (error) {
    const reason = error instanceof BrokerError ? wordsOf(error.trouble) : reasonOf(error);
    return { name: part.name, works: false, reason, hint: "" };
  }
}
