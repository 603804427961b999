/** A text with every character that a terminal would obey written as `\u001b`, as JSON writes it. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, escaped);
}

/** Several lines, each of them printable. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/**
 * JSON with the same values, which a terminal may have: characters that it would obey are escaped. The escape of half a
 * surrogate pair becomes that of U+FFFD, since programs that read JSON stop at it.
 */
export function printableJson(json: string): string {
  return json.replace(/[\x7f-\x9f\p{Bidi_Control}\u2028\u2029]/gu, escaped).replace(ESCAPES, wholePair);
}

/** The escapes of JSON, each as a whole. */
const ESCAPES = /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^u])/g;
const HALF = /^\\u[dD][89a-fA-F][0-9a-fA-F]{2}$/;

function wholePair(found: string): string {
  return HALF.test(found) ? "\\ufffd" : found;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
