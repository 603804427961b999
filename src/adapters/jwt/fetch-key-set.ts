/** The key set of an issuer could not be read. The message is for the log and for operators; it holds no address. */
export class KeySetUnreadable extends Error {}

/** Far more than the sets of real issuers, which have some kilobytes. */
const MOST_BYTES = 1024 * 1024;

/**
 * Reads the keys of a JSON Web Key Set (RFC 7517), unchecked. It follows no redirect, because whoever answers it decides
 * who is let in. Rejects with `KeySetUnreadable`, also if `signal` aborts.
 */
export async function fetchKeySet(url: string, signal: AbortSignal): Promise<readonly unknown[]> {
  const text = await textOf(url, signal);
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new KeySetUnreadable("the answer is not JSON");
  }
  const keys = typeof set === "object" && set !== null && "keys" in set ? set.keys : undefined;
  if (!Array.isArray(keys)) throw new KeySetUnreadable("the answer is no key set: it has no list of keys");
  return keys;
}

async function textOf(url: string, signal: AbortSignal): Promise<string> {
  try {
    const response = await fetch(url, {
      signal,
      redirect: "manual",
      headers: { Accept: "application/json, application/jwk-set+json" },
    });
    if (response.status === 200) return await boundedText(response);
    await response.body?.cancel();
    const isRedirect = response.status >= 300 && response.status < 400;
    const advice = isRedirect ? ", which is not followed: set the address that it leads to" : "";
    throw new KeySetUnreadable(`the answer has status ${response.status}${advice}`);
  } catch (error) {
    if (error instanceof KeySetUnreadable) throw error;
    if (signal.aborted) throw new KeySetUnreadable("no answer in time");
    throw new KeySetUnreadable(`no answer (${codeOf(error)})`);
  }
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) throw new KeySetUnreadable(`the answer is longer than ${MOST_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

function codeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? code : "connection failed";
}
