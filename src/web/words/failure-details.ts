import type { ErrorEvent, StatusUpdate } from "../../domain/analysis-event.ts";
import { figureIn } from "./figure.ts";

/** A detail as people read it. */
export interface Detail {
  readonly label: string;
  readonly value: string;
}

/** Why an analysis failed. */
export interface Failure {
  /** Undefined if only a stage says so. */
  readonly code: string | undefined;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export function failureOf(error: ErrorEvent | StatusUpdate): Failure {
  if (error.event_type === "error")
    return { code: error.error_code, message: error.error_message, details: error.error_details ?? {} };
  return { code: undefined, message: error.error ?? error.message, details: {} };
}

/** The contents of `error_details`: the part that can be said in words, and the rest as it was sent. */
interface FailureDetails {
  readonly said: readonly Detail[];
  /** Faults of a refused event, as `progress: must be at most 1`. */
  readonly issues: readonly string[];
  /** JSON; undefined if everything could be said. */
  readonly rest: string | undefined;
}

const figure = figureIn("en");
const MOST_SAID = 8;
const LONGEST_TEXT = 200;
const UNITS: Readonly<Record<string, string>> = {
  bytes: "bytes",
  kb: "kB",
  mb: "MB",
  gb: "GB",
  ms: "ms",
  seconds: "s",
  minutes: "min",
  percent: "%",
  hz: "Hz",
  px: "px",
};

/** `{needed_mb: 9216, retryable: true}` as "Needed 9,216 MB" and "Retryable yes". Never throws, whatever it is given. */
export function failureDetails(details: Readonly<Record<string, unknown>>): FailureDetails {
  const issues: string[] = [];
  const others = Object.entries(details).filter(([name, value]) => {
    const faults = name === "issues" ? issuesOf(value) : undefined;
    issues.push(...(faults ?? []));
    return faults === undefined;
  });
  return { ...detailsOf(others), issues };
}

/** The members that can be said in words, and the others as JSON; undefined if there are none. */
export function detailsOf(members: readonly (readonly [name: string, value: unknown])[]): {
  readonly said: Detail[];
  readonly rest: string | undefined;
} {
  const said: Detail[] = [];
  const rest: Record<string, unknown> = {};
  for (const [name, value] of members) {
    const detail = detailOf(name, value);
    if (detail !== undefined && said.length < MOST_SAID) said.push(detail);
    // Object.defineProperty: a key may be called __proto__.
    else Object.defineProperty(rest, name, { value, enumerable: true });
  }
  return { said, rest: Object.keys(rest).length > 0 ? JSON.stringify(rest, null, 2) : undefined };
}

/** `lip_sync` becomes `Lip sync`. */
export function words(name: string): string {
  const spaced = name.replaceAll(/[_\s]+/g, " ").trim();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

function detailOf(name: string, value: unknown): Detail | undefined {
  if (words(name) === "") return undefined;
  if (typeof value === "boolean") return { label: words(name), value: value ? "yes" : "no" };
  if (typeof value === "string" && value.trim() !== "" && value.length <= LONGEST_TEXT)
    return { label: words(name), value };
  if (typeof value !== "number") return undefined;
  const [, stem = "", unit = ""] = /^(.+)_([a-z]+)$/i.exec(name) ?? [];
  const known = Object.hasOwn(UNITS, unit.toLowerCase()) ? UNITS[unit.toLowerCase()] : undefined;
  const number = figure(value);
  return known === undefined
    ? { label: words(name), value: number }
    : { label: words(stem), value: `${number} ${known}` };
}

function issuesOf(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const lines = value.map((issue: unknown) => {
    const { path, message } = (typeof issue === "object" && issue !== null ? issue : {}) as Record<
      string,
      unknown
    >;
    const where = Array.isArray(path) ? path.map(String).join(".") : "";
    return typeof message === "string" ? (where === "" ? message : `${where}: ${message}`) : undefined;
  });
  return lines.every((line) => line !== undefined) ? lines : undefined;
}
