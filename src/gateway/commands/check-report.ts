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
  readonly parts: readonly PartReport[];
  /** Why the broker cannot be used; left out if it can. */
  readonly broken: string | undefined;
}

export type PartReport = { readonly name: string } & PartFinding;

/** The report for people. */
export function linesOf(report: CheckReport): string[] {
  const { broker, servers, version, capabilities, missing, notes, warnings, parts, broken } = report;
  return [
    ...notes.map((note) => line("note", note)),
    line("configuration", "ok"),
    line("broker", broker),
    ...servers.map((server) => line("address", server)),
    ...(version === undefined ? [] : [line("version", version)]),
    line("capabilities", capabilities.join(", ")),
    ...missing.map((capability) => line("missing", `${capability}: ${WITHOUT[capability]}`)),
    ...warnings.map((warning) => line("warning", warning)),
    ...parts.flatMap(partLines),
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

function partLines(part: PartReport): string[] {
  if (part.works) return [`✓ ${part.name.padEnd(PART_WIDTH - 2)}${part.detail}`];
  const failed = `✗ ${part.name.padEnd(PART_WIDTH - 2)}${part.reason}`;
  return part.hint === "" ? [failed] : [failed, `${" ".repeat(PART_WIDTH)}${part.hint}`];
}

function line(name: string, text: string): string {
  return `${name.padEnd(NAME_WIDTH)}${text}`;
}
