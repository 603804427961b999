import { type Detail, detailsOf } from "./failure-details.ts";

/** The data of a result: the part that can be said in words, and the rest as it was sent. */
export interface DataDetails {
  readonly said: readonly Detail[];
  /** JSON, cut if it is very long; undefined if everything could be said. */
  readonly rest: string | undefined;
}

/** More would make a page slow, and nobody reads it there. */
const MOST_CHARACTERS = 20_000;

/** Reads the `data` of a result, which may be any JSON. Never throws. */
export function dataDetails(data: unknown): DataDetails {
  const isObject = typeof data === "object" && data !== null && !Array.isArray(data);
  const { said, rest } = detailsOf(isObject ? Object.entries(data) : [["result", data]]);
  if (isObject || rest === undefined) return { said, rest: rest && shortened(rest) };
  return { said, rest: shortened(JSON.stringify(data, null, 2)) };
}

function shortened(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
