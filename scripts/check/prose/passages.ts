/** A stretch of prose: one comment, one run of line comments, one test name, one block of a document. */
export interface Passage {
  /** The line that `text` begins on, from 1. */
  readonly line: number;
  readonly kind: "doc" | "comment" | "test" | "error" | "markdown";
  /** As written, with its line breaks; comment marks are spaces. Code in backticks is blanked out, same length. */
  readonly text: string;
}

/** The prose of one file. A file of an unknown kind has none. */
export function passagesOf(path: string, source: string): Passage[] {
  const extension = path.slice(path.lastIndexOf(".") + 1);
  const find = { ts: script, tsx: script, js: script, lua, py: python, css, md: markdown }[extension];
  const passages = find?.(source) ?? [];
  return passages.map((passage) => ({ ...passage, text: withoutCode(passage.text) }));
}

/** Blanks out code in backticks, addresses and file names; `~` keeps the place from looking like a gap. */
function withoutCode(text: string): string {
  return text
    .replace(/(`+)[^`][\s\S]*?\1/g, blank)
    .replace(/\bhttps?:\/\/\S+/g, blank)
    .replace(/[\w./{}-]*\/[\w./{}-]+|\b[\w-]+\.(?:ts|tsx|lua|py|md|json|conf)\b/g, blank);
}

function blank(code: string): string {
  return code.replace(/[^\n]/g, "~");
}

/** The tokens of TypeScript that matter here. A slash begins a regular expression if no value comes before it. */
const scriptTokens =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|\$\{(?:[^{}`]|`[^`]*`|\{[^{}]*\})*\}|[^`\\])*`|(?<=(?:^|[=(,:[!&|?{;\n]|=>|return)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;
const namesTest = /\b(?:test|it|describe)(?:\.\w+)*(?:\((?:[^()]|\([^()]*\))*\))?\(\s*$/;
const namesError = /\bnew \w*Error\(\s*$/;

function script(source: string): Passage[] {
  const found: Passage[] = [];
  for (const match of source.matchAll(scriptTokens)) {
    const token = match[0];
    const before = source.slice(Math.max(0, match.index - 120), match.index);
    if (token.startsWith("/*"))
      found.push(passage(source, match.index, token.startsWith("/**") ? "doc" : "comment", blockText(token)));
    else if (token.startsWith("//"))
      found.push(passage(source, match.index, "comment", token.replace("//", "  ")));
    else if (token.startsWith("/")) continue;
    else if (namesTest.test(before)) found.push(passage(source, match.index, "test", quoted(token)));
    else if (namesError.test(before)) found.push(passage(source, match.index, "error", quoted(token)));
  }
  return joinRuns(found);
}

function lua(source: string): Passage[] {
  return lineComments(source, /(?<=^|\s)--(?!\[\[)[^\n]*/gm, "--");
}

function python(source: string): Passage[] {
  const doc = [...source.matchAll(/^[ \t]*"""[\s\S]*?"""/gm)].map((match) =>
    passage(source, match.index, "doc", match[0].replaceAll('"""', "   ")),
  );
  return [...doc, ...lineComments(source, /(?<=^|\s)#(?!!)[^\n"']*$/gm, "#")];
}

function css(source: string): Passage[] {
  return [...source.matchAll(/\/\*[\s\S]*?\*\//g)].map((match) =>
    passage(source, match.index, "comment", blockText(match[0])),
  );
}

/** Paragraphs, list items, headings and table cells; fenced and indented code is left out. */
function markdown(source: string): Passage[] {
  const prose = source
    .replace(/^( *)(```|~~~)[\s\S]*?^\1\2[^\n]*$/gm, (code) => code.replace(/[^\n]/g, ""))
    .replace(/(?<=\n\n)(?: {4}\S[^\n]*\n)+/g, (code) => code.replace(/[^\n]/g, ""))
    .replace(/<!--[\s\S]*?-->/g, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/^(\s*)(?:[-*>#]+|\d+\.)(?= )/gm, (mark) => `\u2029${mark.slice(1).replace(/\S/g, " ")}`);
  const blocks = /(?:(?!\n\s*\n|\u2029|\|)[\s\S])+/g;
  return [...prose.matchAll(blocks)]
    .filter((match) => /\w/.test(match[0]))
    .map((match) => passage(source, match.index, "markdown", match[0].replaceAll("**", "  ")));
}

function lineComments(source: string, comments: RegExp, mark: string): Passage[] {
  return joinRuns(
    [...source.matchAll(comments)].map((match) =>
      passage(source, match.index, "comment", match[0].replace(mark, mark.replace(/./g, " "))),
    ),
  );
}

/** Line comments on lines that follow each other are one text. */
function joinRuns(found: readonly Passage[]): Passage[] {
  const joined: Passage[] = [];
  for (const next of found) {
    const last = joined.at(-1);
    const follows =
      last?.kind === "comment" &&
      next.kind === "comment" &&
      last.line + last.text.split("\n").length === next.line;
    if (follows) joined[joined.length - 1] = { ...last, text: `${last.text}\n${next.text}` };
    else joined.push(next);
  }
  return joined;
}

function passage(source: string, index: number, kind: Passage["kind"], text: string): Passage {
  return { line: source.slice(0, index).split("\n").length, kind, text };
}

function blockText(comment: string): string {
  return comment
    .replace(/^\/\*+|\*+\/$/g, (mark) => mark.replace(/./g, " "))
    .replace(/^\s*\*(?!\/)/gm, (mark) => mark.replace("*", " "));
}

function quoted(literal: string): string {
  return ` ${literal.slice(1, -1).replace(/\$\{[^}]*\}/g, blank)} `;
}
