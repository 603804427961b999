import type { GatewayProcess } from "./gateway-process.ts";
import { publisherToken } from "./gateway-process.ts";

export function statusUpdate(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    event_type: "status_update",
    task_id: "task-1",
    progress: 0.5,
    current_stage: "frame_extraction",
    message: "working",
    ...fields,
  };
}

export function resultUpdate(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    event_type: "result_update",
    confidence_score: 0.93,
    frames_processed: 100,
    total_frames: 100,
    is_fake: true,
    ...fields,
  };
}

export function errorEvent(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return { event_type: "error", error_code: "decode_failed", error_message: "no frames", ...fields };
}

/** Publishes over HTTP as a backend does; the answer is the caller's to judge. */
export async function publish(
  gateway: Pick<GatewayProcess, "url">,
  analysisId: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${gateway.url}/v1/analyses/${analysisId}/events`, {
    method: "POST",
    headers: { Authorization: `Bearer ${await publisherToken()}`, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}
