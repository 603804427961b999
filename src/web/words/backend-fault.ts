/** A backend that has not answered by then will hardly do so. */
export const ANSWER_TIMEOUT_MS = 10_000;

/**
 * A sentence for a person if a request of the page came to nothing, with what to do. `whom` names the server that was
 * asked, as "The gateway"; `toDo` is a sentence.
 */
export function backendFault(error: unknown, whom: string, toDo: string): string {
  if (error instanceof DOMException && (error.name === "TimeoutError" || error.name === "AbortError"))
    return `${whom} did not answer within ${ANSWER_TIMEOUT_MS / 1000} seconds. ${toDo}`;
  // All that fetch says of an address nobody answers at is "Failed to fetch", in words that differ by browser.
  if (error instanceof TypeError) return `${whom} cannot be reached. ${toDo}`;
  return error instanceof Error ? error.message : String(error);
}
