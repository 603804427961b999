import { type PublishIssue, PublishRefused } from "./publish-errors.ts";

/** The outcome of one try. */
export type PublishAnswer =
  | { readonly type: "accepted"; readonly body: unknown }
  | { readonly type: "refused"; readonly error: PublishRefused }
  | {
      readonly type: "retry";
      readonly retryAfterMs: number | undefined;
      readonly mayHaveBeenStored: boolean;
      readonly cause: Error;
    };

const RETRIED = [408, 429, 500, 502, 503, 504];
const NOTHING_STORED: ReadonlySet<string> = new Set(["broker_unavailable", "newer_format"]);

/** Reads an answer with its whole body as `text`. `now` is in milliseconds since 1970. */
export function readAnswer(
  response: Response,
  text: string,
  expected: 200 | 202 | 204,
  now: number,
): PublishAnswer {
  const { status } = response;
  const body = parseJson(text);
  if (status === expected) {
    const whole = expected === 204 || body !== undefined;
    return whole ? { type: "accepted", body } : retry("the answer was cut off", undefined, true);
  }
  const problem = readProblem(body, status);
  if (!RETRIED.includes(status))
    return { type: "refused", error: new PublishRefused(problem.message, problem) };
  const nothingStored = status === 429 || NOTHING_STORED.has(problem.code);
  return retry(problem.message, retryAfter(response.headers.get("Retry-After"), now), !nothingStored);
}

function retry(message: string, retryAfterMs: number | undefined, mayHaveBeenStored: boolean): PublishAnswer {
  return { type: "retry", retryAfterMs, mayHaveBeenStored, cause: new Error(message) };
}

/** `Retry-After` in milliseconds from `now`: seconds, or a date. */
function retryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const milliseconds = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}

function readProblem(body: unknown, status: number) {
  const problem: Record<string, unknown> = typeof body === "object" && body !== null ? { ...body } : {};
  const texts = [problem.detail, problem.title, problem.code];
  const { code, issues } = problem;
  return {
    status,
    code: typeof code === "string" ? code : `http_${status}`,
    issues: Array.isArray(issues) ? issues.filter(isIssue) : [],
    message: texts.find((text) => typeof text === "string") ?? `the gateway answered ${status}`,
  };
}

function isIssue(value: unknown): value is PublishIssue {
  if (typeof value !== "object" || value === null) return false;
  return (
    "path" in value && Array.isArray(value.path) && "message" in value && typeof value.message === "string"
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Proxies answer with pages of their own; the status says enough then.
    return undefined;
  }
}
