import type { CancelRefused } from "../../client/sdk.ts";

/** A sentence for a person whose request to cancel was not taken. */
export function cancelFault({ code, message }: Pick<CancelRefused, "code" | "message">): string {
  if (code !== "unreachable") return `The gateway says: ${message}.`;
  // The page's own words, if its backend gave no token.
  const [, words] = /^no token: ([A-Z].*)/s.exec(message) ?? [];
  return words ?? "The gateway cannot be reached. Check that it is running, and try again.";
}
