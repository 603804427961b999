import { ROUNDING } from "./rounding.ts";

/** How far a worker has come, in a unit of its own; null for each that its last status did not give. */
export interface Counts {
  /** 0 or more. */
  readonly current: number | null;
  /** 0 or more. */
  readonly total: number | null;
  /** As `frames`; at most 32 characters. */
  readonly unit: string | null;
}

export const NO_COUNTS: Counts = { current: null, total: null, unit: null };

type Fields = Readonly<Record<string, unknown>>;

/** The counts of a status_update. A field that is none is the publisher's own: it is passed on, and no count. */
export function countsOf({ current, total, unit }: { readonly [Name in keyof Counts]?: unknown }): Counts {
  return { current: countOf(current), total: countOf(total), unit: isUnit(unit) ? unit : null };
}

/**
 * A status_update as it was given, with the `progress` that it left out if its counts say it, and with each count that
 * rounding put below 0 on it. Any other event as it is.
 */
export function withCounts(given: Fields): Fields {
  if (given.event_type !== "status_update") return given;
  const counted: Record<string, number> = {};
  for (const name of ["current", "total"]) {
    const count = given[name];
    if (typeof count === "number" && count < 0 && count >= -ROUNDING) counted[name] = 0;
  }
  if (given.progress === undefined) {
    const { current, total } = countsOf({ ...given, ...counted });
    if (current !== null && total !== null && total > 0) counted.progress = Math.min(1, current / total);
  }
  return Object.keys(counted).length === 0 ? given : { ...given, ...counted };
}

function countOf(value: unknown): number | null {
  return Number.isFinite(value) && (value as number) >= 0 ? (value as number) : null;
}

/** Characters are counted, not UTF-16 units. */
function isUnit(value: unknown): value is string {
  return typeof value === "string" && value.length <= 64 && [...value].length <= 32;
}
