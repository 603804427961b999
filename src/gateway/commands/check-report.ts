import type { BrokerCapability } from "../../application/ports/broker-ports.ts";
import type { PartFinding } from "../../application/ports/broker-self-check.ts";

/** Everything that `telltale check` found, as `--json` writes it. It holds no secret. */
export interface CheckReport {
  /** Advice about the configuration. */
  readonly notes: readonly string[];
  readonly broker: string;
  /** `host:port` of each server; empty if the adapter does not say. */
  readonly servers: readonly string[];
  readonly version: string | undefined;
  readonly capabilities: readonly string[];
  readonly missing: readonly BrokerCapability[];
  readonly warnings: readonly string[];
  /** The parts that verify tokens. */
  readonly tokens: readonly PartReport[];
  /** The parts of the broker. */
  readonly parts: readonly PartReport[];
  /** Why the broker cannot be used; left out if it can. */
  readonly broken: string | undefined;
}

export type PartReport = { readonly name: string } & PartFinding;

/** The report for people. */
export function linesOf(report: CheckReport): string[] {
  const { broker, servers, version, capabilities, missing, notes, warnings, tokens, parts, broken } = report;
  return [
    ...notes.map((note) => line("note", note)),
    line("configuration", "ok"),
    ...tokens.flatMap((part) => partLines(part)),
    line("broker", broker),
    ...servers.map((server) => line("address", server)),
    ...(version === undefined ? [] : [line("version", version)]),
    line("capabilities", capabilities.join(", ")),
    ...missing.map((capability) => line("missing", `${capability}: ${WITHOUT[capability]}`)),
    ...warnings.map((warning) => line("warning", warning)),
    ...parts.flatMap((part, index) => partLines(part, sameAs(part, parts.slice(0, index)))),
    ...(broken === undefined ? [line("ready", "an event would be stored")] : []),
  ];
}

const WITHOUT: Readonly<Record<BrokerCapability, string>> = {
  worker_channels: "no gateway hears plain messages of workers (analysis:*, user:*, system:updates)",
  inbox: "messages of workers are not kept while no gateway runs",
};

/** The names of parts of an adapter from outside may be longer. */
const NAME_WIDTH = 15;
const PART_WIDTH = 27;

/** The first part before it that fails for the same cause: the lines of that one have the words. */
function sameAs(part: PartReport, before: readonly PartReport[]): PartReport | undefined {
  if (part.works || part.hint === "") return undefined;
  return before.find((one) => !one.works && one.reason === part.reason && one.hint === part.hint);
}

function partLines(part: PartReport, same?: PartReport): string[] {
  if (part.works) return [`✓ ${part.name.padEnd(PART_WIDTH - 2)}${part.detail}`];
  if (same !== undefined) return [`✗ ${part.name.padEnd(PART_WIDTH - 2)}the same as ${same.name}`];
  const failed = `✗ ${part.name.padEnd(PART_WIDTH - 2)}${part.reason}`;
  return part.hint === "" ? [failed] : [failed, `${" ".repeat(PART_WIDTH)}${part.hint}`];
}

function line(name: string, text: string): string {
  return `${name.padEnd(NAME_WIDTH)}${text}`;
}
