import { type AnalysisId, analysisChannel, SYSTEM_CHANNEL } from "../../../src/domain/channel.ts";
import { type DecodeResult, decodeEvent } from "../../../src/domain/decode-event.ts";

export const ANALYSIS = "0e8dddc7-9ebf-41f3-b08a-5a3f91f1c3c0";
export const CHANNEL = analysisChannel(ANALYSIS as AnalysisId);
export const NOW = Date.UTC(2026, 10, 24, 3, 27, 22, 785);
export const NOW_TEXT = "2026-11-24T03:27:22.785Z";
const TIMESTAMP = "2026-11-24T03:00:00Z";

export const STATUS = {
  event_type: "status_update",
  task_id: "task-1",
  analysis_id: ANALYSIS,
  progress: 0.5,
  current_stage: "frame_extraction",
  message: "extracting",
  estimated_completion: null,
  error: null,
  timestamp: TIMESTAMP,
};

export const REGION = {
  frame_number: 7,
  x: 0,
  y: 0.25,
  width: 0.5,
  height: 1,
  confidence: 0.9,
  region_type: "face",
};

export const RESULT = {
  event_type: "result_update",
  analysis_id: ANALYSIS,
  confidence_score: 0.93,
  frames_processed: 10,
  total_frames: 12,
  is_fake: true,
  processing_time_ms: 1500,
  suspicious_regions: [REGION],
  blockchain_hash: "0xAbC123",
  timestamp: TIMESTAMP,
};

const DATA = {
  event_type: "result",
  analysis_id: ANALYSIS,
  data: { words: 812, language: "en" },
  summary: "812 words of English",
  timestamp: TIMESTAMP,
};

export const ERROR = {
  event_type: "error",
  analysis_id: ANALYSIS,
  error_code: "E_DECODE",
  error_message: "cannot read the file",
  error_details: { frame: 3 },
  timestamp: TIMESTAMP,
};

export const NOTICE = {
  event_type: "notice",
  level: "warning",
  message: "maintenance at noon",
  data: { at: "12:00" },
  timestamp: TIMESTAMP,
};

export const SAMPLES = {
  status_update: STATUS,
  result_update: RESULT,
  result: DATA,
  error: ERROR,
  notice: NOTICE,
};
export type SampleName = keyof typeof SAMPLES;

/** A sample with some fields replaced; a field of `undefined` is left out. */
export function sampleText(name: SampleName, fields: Record<string, unknown> = {}): string {
  return JSON.stringify({ ...SAMPLES[name], ...fields });
}

export function decodeText(text: string): DecodeResult {
  return decodeEvent(text, { channel: CHANNEL, now: NOW });
}

export function decodeSample(name: SampleName, fields: Record<string, unknown> = {}): DecodeResult {
  const channel = name === "notice" ? SYSTEM_CHANNEL : CHANNEL;
  return decodeEvent(sampleText(name, fields), { channel, now: NOW });
}

/** The members of an event that must have been accepted. */
export function membersOf(result: DecodeResult): string {
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`);
  return result.encoded.members;
}

/** The event as a client would parse it. */
export function wireOf(result: DecodeResult): Record<string, unknown> {
  return JSON.parse(`{${membersOf(result)}`) as Record<string, unknown>;
}

export function pathsOf(result: DecodeResult): (string | number)[][] {
  return result.ok ? [] : result.issues.map(({ path }) => path);
}
