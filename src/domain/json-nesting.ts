import {
  BACKSLASH,
  CLOSING_BRACE,
  CLOSING_BRACKET,
  COMMA,
  isEscaped,
  OPENING_BRACE,
  OPENING_BRACKET,
  QUOTE,
} from "./json-members.ts";

/** Objects and arrays within one another in an event, the event itself counted. Every client's parser can read so many. */
const MAX_NESTING = 64;
export const TOO_DEEP = `must be nested at most ${MAX_NESTING} levels deep`;
/** The publisher chooses a name: the beginning of a longer one is enough to find it. */
const SHOWN_NAME_CHARACTERS = 64;

type Nesting =
  | { readonly type: "fine" }
  /** Too deep, and not closed again: no JSON. */
  | { readonly type: "unclosed" }
  /** `path` is the event's index in a batch, and the member that is too deep. */
  | { readonly type: "too_deep"; readonly path: (string | number)[] };

/**
 * How deep a text is nested that claims to be one event or a batch of them. The text is looked at in one loop before
 * anything parses it: depth must exhaust no stack, here or at a client, and must cost no more than length does.
 */
export function nestingOf(text: string): Nesting {
  const most = isArray(text) ? MAX_NESTING + 1 : MAX_NESTING;
  let depth = 0;
  let tooDeepAt = -1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = closingQuote(text, at);
    else if (code === OPENING_BRACE || code === OPENING_BRACKET) {
      depth++;
      if (depth > most && tooDeepAt < 0) tooDeepAt = at;
    } else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) depth--;
  }
  if (tooDeepAt < 0) return { type: "fine" };
  return depth === 0 ? { type: "too_deep", path: memberAt(text, tooDeepAt) } : { type: "unclosed" };
}

const COLON = 0x3a;

function isArray(text: string): boolean {
  return /^\s*\[/.test(text);
}

/** Up to here a loop is faster than a search. */
const SHORT_TEXT = 64;

/** The text's length if there is none. */
function closingQuote(text: string, opening: number): number {
  const shortEnd = Math.min(text.length, opening + SHORT_TEXT);
  let at = opening + 1;
  for (; at < shortEnd; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at++;
  }
  for (at = text.indexOf('"', at); at >= 0; at = text.indexOf('"', at + 1)) {
    if (!isEscaped(text, at)) return at;
  }
  return text.length;
}

/** Which event of a batch, and which of its members, the character at `end` belongs to. */
function memberAt(text: string, end: number): (string | number)[] {
  const eventDepth = isArray(text) ? 2 : 1;
  let depth = 0;
  let index = 0;
  let lastString = "";
  let name: string | undefined;
  for (let at = 0; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const closing = closingQuote(text, at);
      if (depth === eventDepth) lastString = text.slice(at + 1, closing);
      at = closing;
    } else if (code === OPENING_BRACE || code === OPENING_BRACKET) depth++;
    else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) depth--;
    else if (code === COLON && depth === eventDepth) name = lastString;
    else if (code === COMMA && depth === eventDepth - 1) {
      index++;
      name = undefined;
    }
  }
  const path: (string | number)[] = eventDepth === 2 ? [index] : [];
  return name === undefined ? path : [...path, shownName(name)];
}

/** As much of a member's name as a path has. */
export function shownName(source: string): string {
  const shown = source.slice(0, SHOWN_NAME_CHARACTERS);
  return shown.isWellFormed() ? shown : shown.slice(0, -1);
}
