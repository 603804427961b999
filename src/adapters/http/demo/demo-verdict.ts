import { DEMO_FRAMES } from "./demo-script.ts";

const FRAMES_PER_SECOND = 30;

/** The result the built-in pipeline ends in. Regions are placed on the face of the page's illustration. */
export function demoVerdict(outcome: "fake" | "authentic", processingTimeMs: number) {
  const fake = outcome === "fake";
  return {
    confidence_score: fake ? 0.943 : 0.978,
    frames_processed: DEMO_FRAMES,
    total_frames: DEMO_FRAMES,
    is_fake: fake,
    processing_time_ms: processingTimeMs,
    suspicious_regions: fake ? SUSPICIOUS_REGIONS : [],
    blockchain_hash: fingerprint(),
  };
}

export function demoFailure() {
  return {
    error_code: "MODEL_OUT_OF_MEMORY",
    error_message: "The model ran out of memory on frame 467. Nothing was decided about this clip.",
    error_details: { frame_number: 467, needed_mb: 9_216, available_mb: 8_004, retryable: true },
  };
}

const SUSPICIOUS_REGIONS = [
  region(212, "lip_sync", 0.97, { x: 0.444, y: 0.55, width: 0.1125, height: 0.117 }),
  region(212, "eye_reflection", 0.88, { x: 0.4155, y: 0.394, width: 0.169, height: 0.1 }),
  region(431, "blending_edge", 0.81, { x: 0.58, y: 0.444, width: 0.046, height: 0.222 }),
  region(588, "hair_boundary", 0.64, { x: 0.406, y: 0.2, width: 0.188, height: 0.094 }),
];

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function region(frameNumber: number, type: string, confidence: number, box: Box) {
  return {
    frame_number: frameNumber,
    ...box,
    confidence,
    region_type: type,
    timecode: timecode(frameNumber),
  };
}

/** `00:00:07.067`: a field of this pipeline's own, which the gateway passes on as it is. */
function timecode(frameNumber: number): string {
  return new Date(Math.round((frameNumber / FRAMES_PER_SECOND) * 1000)).toISOString().slice(11, 23);
}

function fingerprint(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
