import { computed, signal } from "@preact/signals";
import type { SuspiciousRegion } from "../../domain/analysis-event.ts";
import { analysis } from "../page/watched-analysis.ts";

export type Region = SuspiciousRegion & {
  /** A field that some pipelines add. */
  readonly timecode: string | undefined;
};

/** The suspicious region that the frame shows and the list marks. */
export const chosenRegion = signal(0);

const verdict = computed(() => {
  const result = analysis.value?.result;
  return result?.event_type === "result_update" ? result : undefined;
});
/** The suspicious regions of the verdict. */
export const regions = computed(() => (verdict.value?.suspicious_regions ?? []).map(regionOf));
export const totalFrames = computed(() => verdict.value?.total_frames ?? 0);

/** Fields that a publisher adds to a region may be anything. */
export function regionOf(region: SuspiciousRegion & { readonly timecode?: unknown }): Region {
  const { timecode } = region;
  return { ...region, timecode: typeof timecode === "string" ? timecode : undefined };
}
