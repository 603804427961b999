import { membersAtEnd } from "./members-at-end.ts";

/** Before its first brace a text may have a byte order mark, Python's `b'`, or the name of a field. */
const BEFORE_CHARACTERS = 64;
/** So much is read of the beginning of a text, and of its end if it is longer than that. */
const LOOKED_AT_CHARACTERS = 4 * 1024 * 1024;
const TAIL_CHARACTERS = 64 * 1024;

/**
 * The members of the first object of a text that need be no JSON: name → source of the value, as far as they can be
 * told. It reads past `NaN`, a line break within a text, quotes of Python and a cut, and through JSON that was encoded
 * twice; it stops at the first thing that it cannot tell. In valid JSON it finds the members that JSON.parse finds. In one loop.
 *
 * `text` may be the beginning of a longer text and `tail` the end: then it reads the members behind a large one too.
 */
export function readableMembers(text: string, tail = tailOf(text)): Map<string, string> {
  const members = new Map<string, string>();
  const head = text.slice(0, LOOKED_AT_CHARACTERS);
  const twice = tail !== undefined && text.startsWith('"');
  const source = twice ? unwrappedHead(head) : unwrapped(head);
  const end = readInto(members, source);
  if (tail === undefined || end === "closed") return members;
  for (const [name, value] of membersAtEnd(twice ? unwrappedTail(tail) : tail)) members.set(name, value);
  return members;
}

function tailOf(text: string): string | undefined {
  return text.length > LOOKED_AT_CHARACTERS ? text.slice(-TAIL_CHARACTERS) : undefined;
}

/** Answers whether the object ended, or went on behind what could be told. */
function readInto(members: Map<string, string>, source: string): "closed" | "open" {
  let at = source.slice(0, BEFORE_CHARACTERS).indexOf("{");
  if (at < 0) return "closed";
  do {
    const nameStart = skipSpace(source, at + 1);
    const nameEnd = isQuote(source, nameStart) ? endOfText(source, nameStart) : -1;
    const colon = nameEnd < 0 ? -1 : skipSpace(source, nameEnd);
    if (source[colon] !== ":") return "open";
    const valueStart = skipSpace(source, colon + 1);
    const valueEnd = endOfValue(source, valueStart);
    if (valueEnd < 0) return "open";
    members.set(nameOf(source.slice(nameStart, nameEnd)), source.slice(valueStart, valueEnd));
    at = skipSpace(source, valueEnd);
  } while (source[at] === ",");
  return source[at] === "}" ? "closed" : "open";
}

/** An object that was encoded twice is JSON within a text of JSON. */
function unwrapped(text: string): string {
  return text.startsWith('"') ? (textOf(text) ?? text) : text;
}

/** A cut leaves at most six characters of an escape. */
const ESCAPE_CHARACTERS = 6;

function unwrappedHead(head: string): string {
  for (let less = 0; less < ESCAPE_CHARACTERS; less++) {
    const text = textOf(`${head.slice(0, head.length - less)}"`);
    if (text !== undefined) return text;
  }
  return head;
}

function unwrappedTail(tail: string): string {
  return textOf(`"${tail}`) ?? textOf(`"${tail.slice(1)}`) ?? tail;
}

function nameOf(source: string): string {
  return (source.includes("\\") ? textOf(source) : undefined) ?? source.slice(1, -1);
}

/** The text that a JSON string holds; undefined if it is none. */
function textOf(source: string): string | undefined {
  try {
    const text: unknown = JSON.parse(source);
    return typeof text === "string" ? text : undefined;
  } catch {
    return undefined;
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) <= 0x20) at++;
  return at;
}

function isQuote(text: string, at: number): boolean {
  return text[at] === '"' || text[at] === "'";
}

/** Each answers the place after the end, and -1 if the text ends before. */
function endOfText(text: string, start: number): number {
  const quote = text[start] as string;
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === quote) return at + 1;
  }
  return -1;
}

function endOfValue(text: string, start: number): number {
  if (isQuote(text, start)) return endOfText(text, start);
  if (text[start] === "{" || text[start] === "[") return endOfNested(text, start);
  for (let at = start; at < text.length; at++) {
    if (/[\s,}\]]/.test(text[at] as string)) return at === start ? -1 : at;
  }
  return -1;
}

function endOfNested(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (isQuote(text, at)) {
      at = endOfText(text, at) - 1;
      if (at < 0) return -1;
    } else if (character === "{" || character === "[") depth++;
    else if ((character === "}" || character === "]") && --depth === 0) return at + 1;
  }
  return -1;
}
