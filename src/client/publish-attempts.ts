import { type PublishAnswer, readAnswer } from "./publish-answer.ts";
import { PublishFailed } from "./publish-errors.ts";
import { wordsOf } from "./thrown-fields.ts";

/** How long and how often to try. All times in milliseconds. */
export interface PublishRetry {
  /** From the call on, waiting behind earlier events included; at most 240,000 [120,000]. */
  readonly totalMs?: number;
  /** Pause after the first failure, doubled with each; the pause is between half of it and all of it [250]. */
  readonly firstPauseMs?: number;
  /** [10,000] */
  readonly longestPauseMs?: number;
  /** For one request, its answer included [10,000]. */
  readonly requestTimeoutMs?: number;
}

/** Milliseconds since 1970, and a pause. */
export interface PublisherClock {
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

export type PublisherFetch = (url: string, init: RequestInit) => Promise<Response>;

export interface AttemptSettings {
  readonly fetch: PublisherFetch;
  readonly token: () => string | Promise<string>;
  readonly clock: PublisherClock;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly retry: Required<PublishRetry>;
}

export interface PublishRequest {
  readonly method: "POST" | "PUT";
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The status of success: with a JSON body (200, 202), or without one (204). */
  readonly expects: 200 | 202 | 204;
}

/** Sends until the gateway has answered yes or no; the same bytes and headers every time. Answers the body. */
export async function sendUntilAnswered(
  request: PublishRequest,
  /** Milliseconds since 1970 after which nothing more is tried. */
  deadline: number,
  settings: AttemptSettings,
): Promise<unknown> {
  const { clock } = settings;
  let mayHaveBeenStored = false;
  let cause: unknown = new Error("waited behind earlier events until its time was over");
  let attempts = 0;
  while (clock.now() < deadline) {
    const answer = await sendOnce(request, settings);
    attempts += 1;
    if (answer.type === "accepted") return answer.body;
    if (answer.type === "refused") throw answer.error;
    mayHaveBeenStored ||= answer.mayHaveBeenStored;
    cause = answer.cause;
    const pause = pauseAfter(attempts, answer.retryAfterMs, settings.retry, settings.random);
    if (clock.now() + pause >= deadline) break;
    await clock.sleep(pause);
  }
  throw new PublishFailed(`gave up after ${attempts} tries`, { attempts, mayHaveBeenStored, cause });
}

/** Sends once. Throws only a `TypeError`: the token is none. */
export async function sendOnce(request: PublishRequest, settings: AttemptSettings): Promise<PublishAnswer> {
  // One deadline for both: neither a backend nor a gateway that never answers may hold up the calls behind this one.
  const deadline = AbortSignal.timeout(settings.retry.requestTimeoutMs);
  const asked = before(deadline, "no token", async () => settings.token());
  let token: unknown;
  try {
    token = await asked;
  } catch (error) {
    return failed(new Error(`the token could not be had: ${wordsOf(error)}`, { cause: error }), false);
  }
  // Not left to fetch, whose message would show the token.
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token))
    throw new TypeError("the token is no text, or holds characters that no token has");
  const headers = {
    ...request.headers,
    Authorization: `Bearer ${token}`,
    "Content-Type": "application/json",
  };
  // The answer is read outside the try: a fault of this code is none of the network, and another try would not mend it.
  const answered = before(deadline, "no answer", async () => {
    const response = await settings.fetch(request.url, {
      method: request.method,
      headers,
      body: request.body,
      // A redirect would take the token elsewhere, or turn the POST into a GET.
      redirect: "manual",
      signal: deadline,
    });
    return { response, text: await response.text() };
  });
  let answer: Awaited<typeof answered>;
  try {
    answer = await answered;
  } catch (error) {
    return failed(error, true);
  }
  return readAnswer(answer.response, answer.text, request.expects, settings.clock.now());
}

/** Settles as the work does, or rejects at the deadline, also if the work heeds no signal. */
function before<Outcome>(
  deadline: AbortSignal,
  what: string,
  work: () => Promise<Outcome>,
): Promise<Outcome> {
  let onLate = () => {};
  const late = new Promise<never>((_, reject) => {
    onLate = () => reject(new Error(`${what} in time`, { cause: deadline.reason }));
  });
  if (deadline.aborted) onLate();
  deadline.addEventListener("abort", onLate);
  return Promise.race([late, work()]).finally(() => deadline.removeEventListener("abort", onLate));
}

function failed(error: unknown, mayHaveBeenStored: boolean): PublishAnswer {
  const cause = error instanceof Error ? error : new Error(String(error));
  return { type: "retry", retryAfterMs: undefined, mayHaveBeenStored, cause };
}

/** Milliseconds until the next try after so many that failed. */
export function pauseAfter(
  attempts: number,
  retryAfterMs: number | undefined,
  retry: Pick<Required<PublishRetry>, "firstPauseMs" | "longestPauseMs">,
  random: () => number,
): number {
  const step = Math.min(retry.longestPauseMs, retry.firstPauseMs * 2 ** Math.min(attempts - 1, 30));
  // The pause is spread in either case: else all publishers that a restart cut off would come back at the same instant.
  return retryAfterMs === undefined
    ? step * (1 - random() / 2)
    : retryAfterMs + random() * retry.firstPauseMs;
}
