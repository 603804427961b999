import type { NatsRequests } from "./nats-connection.ts";
import { isRefusal, JetStreamRefusal, REFUSED } from "./nats-errors.ts";

/**
 * Calls JetStream's own interface, as `STREAM.INFO.name`, and resolves with its answer. Rejects with `JetStreamRefusal` if
 * the server refused, and otherwise as a request does.
 */
export async function callApi<Answer>(
  link: NatsRequests,
  call: string,
  body?: unknown,
  timeoutMs?: number,
): Promise<Answer> {
  const payload = body === undefined ? "" : JSON.stringify(body);
  const message = await link.request(
    `$JS.API.${call}`,
    payload,
    timeoutMs === undefined ? {} : { timeoutMs },
  );
  try {
    return answerOf<Answer>(message.data);
  } catch (error) {
    if (isRefusal(error, REFUSED.streamNotFound)) link.streamIsGone?.(error);
    throw error;
  }
}

/**
 * Removes the messages of a subject that lie before a sequence. Rejects as a call does.
 *
 * The newest message of a stream should stay: a server that is killed while a stream becomes empty, or while it removes all
 * messages before a sequence without a subject, was seen to lose newer ones and to give their sequences again.
 */
export async function purgeBefore(
  link: NatsRequests,
  stream: string,
  subject: string,
  sequence: number,
): Promise<void> {
  // JetStream takes 1 for no limit at all.
  if (sequence <= 1) return;
  await callApi(link, `STREAM.PURGE.${stream}`, { filter: subject, seq: sequence });
}

const decoder = new TextDecoder();

/** Reads an answer in JSON. Throws `JetStreamRefusal` if it is one. */
export function answerOf<Answer>(data: Uint8Array): Answer {
  const answer = JSON.parse(decoder.decode(data)) as Answer & { error?: ApiError };
  if (answer.error !== undefined) {
    throw new JetStreamRefusal(
      answer.error.err_code ?? answer.error.code ?? 0,
      answer.error.description ?? "",
    );
  }
  return answer;
}

interface ApiError {
  readonly code?: number;
  readonly err_code?: number;
  readonly description?: string;
}
