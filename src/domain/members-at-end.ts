/** After its last brace a text may have the end of a list, a quote of Python, or a short field. */
const AFTER_CHARACTERS = 64;

/**
 * The members at the end of an object whose beginning is out of sight: name → source of the value. `tail` is
 * the end of its text. It reads backwards from the last brace, so that the members of nested objects count as the values
 * that they are part of. It stops at the first thing that it cannot tell, such as a value that began before the tail.
 * None if the object begins within the tail: then it is another one. In one loop.
 */
export function membersAtEnd(tail: string): Map<string, string> {
  const members = new Map<string, string>();
  const brace = tail.lastIndexOf("}");
  if (brace < 0 || brace < tail.length - AFTER_CHARACTERS) return members;
  let at = spaceBefore(tail, brace);
  if (tail[at - 1] === ",") at--;
  while (at > 0) {
    const valueEnd = spaceBefore(tail, at);
    const valueStart = startOfValue(tail, valueEnd);
    const colon = spaceBefore(tail, valueStart) - 1;
    if (valueStart < 0 || tail[colon] !== ":") break;
    const nameEnd = spaceBefore(tail, colon);
    const nameStart = isQuote(tail, nameEnd - 1) ? startOfText(tail, nameEnd) : -1;
    const before = spaceBefore(tail, nameStart) - 1;
    if (nameStart < 0 || before < 0) break;
    if (tail[before] === "{") return new Map();
    if (tail[before] !== ",") break;
    const name = tail.slice(nameStart + 1, nameEnd - 1);
    // If a name is given twice, the last counts.
    if (!members.has(name)) members.set(name, tail.slice(valueStart, valueEnd));
    at = before;
  }
  return members;
}

/** Each `end` is the place after the last character; each answers the place of the first, and -1 if it is out of sight. */
function startOfValue(text: string, end: number): number {
  const last = text[end - 1];
  if (isQuote(text, end - 1)) return startOfText(text, end);
  if (last === "}" || last === "]") return startOfNested(text, end);
  let at = end;
  while (at > 0 && !/[\s,:{}[\]"']/.test(text[at - 1] as string)) at--;
  return at === end || at === 0 ? -1 : at;
}

function startOfText(text: string, end: number): number {
  const quote = text[end - 1] as string;
  for (let at = end - 2; at >= 0; at--) {
    if (text[at] !== quote) continue;
    let slashes = 0;
    while (text[at - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return at;
    at -= slashes;
  }
  return -1;
}

function startOfNested(text: string, end: number): number {
  let depth = 0;
  for (let at = end - 1; at >= 0; at--) {
    const character = text[at];
    if (isQuote(text, at)) {
      at = startOfText(text, at + 1);
      if (at < 0) return -1;
    } else if (character === "}" || character === "]") depth++;
    else if ((character === "{" || character === "[") && --depth === 0) return at;
  }
  return -1;
}

function spaceBefore(text: string, end: number): number {
  let at = end;
  while (at > 0 && text.charCodeAt(at - 1) <= 0x20) at--;
  return at;
}

function isQuote(text: string, at: number): boolean {
  return text[at] === '"' || text[at] === "'";
}
