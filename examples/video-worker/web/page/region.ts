import type { AnalysisState } from "../../../../src/domain/analysis-state.ts";

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

type Result = NonNullable<AnalysisState["result"]>;

/** Fields that this worker adds to the contract's. */
interface OwnFields {
  readonly frame_rate?: number;
  readonly end_frame?: number;
  readonly start_time?: number;
  readonly end_time?: number;
}

const LABELS: Readonly<Record<string, string>> = {
  black_frames: "Black frames",
  freeze: "Frozen picture",
  scene_cut: "Scene cut",
  blur: "Blur",
  blockiness: "Blocks",
};
/** A single frame would be gone before anybody has seen its frame drawn. */
const SHORTEST_SHOWN_SECONDS = 0.4;

export function regionsOf(result: Result): Region[] {
  const rate = (result as OwnFields).frame_rate || 25;
  return result.suspicious_regions.map((region, index) => {
    const own = region as typeof region & OwnFields;
    const lastFrame = own.end_frame ?? region.frame_number;
    const start = own.start_time ?? region.frame_number / rate;
    return {
      key: `${region.region_type}-${region.frame_number}-${index}`,
      type: region.region_type,
      label: LABELS[region.region_type] ?? region.region_type.replaceAll("_", " "),
      frame: region.frame_number,
      lastFrame,
      start,
      // The last frame is shown until the next one comes.
      end: (own.end_time ?? lastFrame / rate) + 1 / rate,
      confidence: region.confidence,
      box: { x: region.x, y: region.y, width: region.width, height: region.height },
    };
  });
}

/** Whether it is to be drawn when the player stands at `time`. */
export function isShownAt(region: Region, time: number): boolean {
  return time >= region.start - 0.001 && time < Math.max(region.end, region.start + SHORTEST_SHOWN_SECONDS);
}

export function wholePicture({ box }: Region): boolean {
  return box.width >= 1 && box.height >= 1;
}
