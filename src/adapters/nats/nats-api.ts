import type { NatsRequests } from "./nats-connection.ts";
import { JetStreamRefusal } from "./nats-errors.ts";

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
  return answerOf<Answer>(message.data);
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
