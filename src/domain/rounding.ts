import type { SuspiciousRegion } from "./analysis-event.ts";

/** A sum of `1/n` may miss a bound by so much: a number so little outside is taken as the bound. */
export const ROUNDING = 1e-6;

/** An event that passed its rules, with each number that rounding put outside its bound on it; itself if none is. */
export function toBounds<Event extends object>(event: Event): Event {
  return withinBounds(event, EVENT_NUMBERS);
}

/** The same of the regions of a result. */
export function eachToBounds(regions: readonly SuspiciousRegion[]): readonly SuspiciousRegion[] {
  return regions.every(isInside)
    ? regions
    : regions.map((each) => (isInside(each) ? each : withinBounds(each, REGION_NUMBERS)));
}

/** Spelled out, because a result has thousands of these numbers and hardly ever one outside. */
function isInside({ frame_number, x, y, width, height, confidence }: SuspiciousRegion): boolean {
  const least = Math.min(frame_number, x, y, width, height, confidence);
  return least >= 0 && Math.max(x, y, width, height, confidence) <= 1;
}

/** By name, the upper bound; the lower one is 0. */
type Bounds = readonly (readonly [name: string, most: number])[];

const EVENT_NUMBERS: Bounds = [
  ["progress", 1],
  ["confidence_score", 1],
  ["frames_processed", Infinity],
  ["total_frames", Infinity],
  ["processing_time_ms", Infinity],
];
const REGION_NUMBERS: Bounds = [
  ["frame_number", Infinity],
  ["x", 1],
  ["y", 1],
  ["width", 1],
  ["height", 1],
  ["confidence", 1],
];

function withinBounds<Fields extends object>(fields: Fields, bounds: Bounds): Fields {
  const given = fields as Readonly<Record<string, unknown>>;
  const outside: Record<string, number> = {};
  let isOutside = false;
  for (const [name, most] of bounds) {
    const value = given[name];
    if (typeof value !== "number" || (value >= 0 && value <= most)) continue;
    outside[name] = value < 0 ? 0 : most;
    isOutside = true;
  }
  return isOutside ? { ...fields, ...outside } : fields;
}
