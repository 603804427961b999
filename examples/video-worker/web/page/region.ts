import type { ResultUpdate } from "../../../../src/domain/analysis-event.ts";

/** A finding of the worker; times are seconds into the video. */
export interface Region {
  readonly key: string;
  readonly type: string;
  readonly label: string;
  readonly frame: number;
  readonly lastFrame: number;
  readonly start: number;
  readonly end: number;
  readonly confidence: number;
  /** Fractions of the picture. */
  readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/** Fields that this worker adds to the contract's. The gateway passes them on unread: they may hold anything. */
interface OwnFields {
  readonly frame_rate?: unknown;
  readonly end_frame?: unknown;
  readonly start_time?: unknown;
  readonly end_time?: unknown;
}

const LABELS: ReadonlyMap<string, string> = new Map([
  ["black_frames", "Black frames"],
  ["freeze", "Frozen picture"],
  ["scene_cut", "Scene cut"],
  ["blur", "Blur"],
  ["blockiness", "Blocks"],
]);
/** No video has fewer frames a second: a rate below is no rate, and would put findings at no time at all. */
const LOWEST_RATE = 0.01;
/** A single frame would be gone before anybody has seen its frame drawn. */
const SHORTEST_SHOWN_SECONDS = 0.4;

export function regionsOf(result: ResultUpdate): Region[] {
  const told = numberOr(0, (result as OwnFields).frame_rate);
  const rate = told >= LOWEST_RATE ? told : 25;
  return result.suspicious_regions.map((region, index) => {
    const own = region as typeof region & OwnFields;
    const lastFrame = numberOr(region.frame_number, own.end_frame);
    const start = numberOr(region.frame_number / rate, own.start_time);
    return {
      key: `${region.region_type}-${region.frame_number}-${index}`,
      type: region.region_type,
      label: LABELS.get(region.region_type) ?? region.region_type.replaceAll("_", " "),
      frame: region.frame_number,
      lastFrame,
      start,
      // The last frame is shown until the next one comes.
      end: numberOr(lastFrame / rate, own.end_time) + 1 / rate,
      confidence: region.confidence,
      box: { x: region.x, y: region.y, width: region.width, height: region.height },
    };
  });
}

function numberOr(otherwise: number, value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : otherwise;
}

/** Whether the region is to be drawn when the player is at `time`. */
export function isShownAt(region: Region, time: number): boolean {
  return time >= region.start - 0.001 && time < Math.max(region.end, region.start + SHORTEST_SHOWN_SECONDS);
}

export function wholePicture({ box }: Region): boolean {
  return box.width >= 1 && box.height >= 1;
}
