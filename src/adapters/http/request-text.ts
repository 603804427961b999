import type { Context } from "hono";

/** The body as text; undefined if it is not UTF-8, hence not JSON. Rejects with `BodyRefused`. */
export async function requestText(context: Context): Promise<string | undefined> {
  const bytes = await context.get("body").bytes();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** The value of the text; undefined if it is not JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message may quote the body, so the caller only learns that it is no JSON.
    return undefined;
  }
}

/** The `Idempotency-Key` of a request: absent, good, or not of 1 to 200 characters. */
export function idempotencyKey(context: Context): { ok: true; key: string | undefined } | { ok: false } {
  const key = context.req.header("Idempotency-Key");
  if (key === undefined) return { ok: true, key: undefined };
  return key.length >= 1 && key.length <= 200 ? { ok: true, key } : { ok: false };
}
