/** Everything that may follow a word of the program. */
export interface CompletedWord {
  /** The words that lead to it; empty for the program itself. */
  readonly path: readonly string[];
  readonly words: readonly Candidate[];
  readonly options: readonly CompletedOption[];
}

interface Candidate {
  readonly text: string;
  readonly description: string;
}

interface CompletedOption extends Candidate {
  readonly takesValue: boolean;
  /** The values that it may have; empty if any text will do. */
  readonly values: readonly string[];
}

/*
 * Each script first finds the words that lead to the cursor (`at`), then offers what may follow them. After an option that
 * takes a value it offers the values, or files if any text will do.
 */

/** A script for bash. It needs no package of completions. */
export function bashCompletion(all: readonly CompletedWord[]): string {
  const offers = all.map(
    ({ path, words, options }) =>
      `    ${quoted(keyOf(path))}) offers=${quoted([...words, ...options].map(({ text }) => text).join(" "))} ;;`,
  );
  return `# Completion of telltale for bash.
_telltale() {
  local at= before= word offers=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at $word" in
      ${pathPattern(all)}) at="$at $word" ;;
    esac
    before=$word
  done
  COMPREPLY=()
  case "$at $before" in
${bashValues(all)}
  esac
  case "$at" in
${offers.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$offers" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _telltale telltale`;
}

function bashValues(all: readonly CompletedWord[]): string {
  return valued(all)
    .map(({ at, values }) =>
      values.length === 0
        ? `    ${quoted(at)}) return ;;`
        : `    ${quoted(at)}) COMPREPLY=($(compgen -W ${quoted(values.join(" "))} -- "\${COMP_WORDS[COMP_CWORD]}")); return ;;`,
    )
    .join("\n");
}

/** A script for zsh. It may be sourced, or lie in a folder of `fpath` as `_telltale`. */
export function zshCompletion(all: readonly CompletedWord[]): string {
  const offers = all.map(({ path, words, options }) => {
    const described = [...words, ...options].map(({ text, description }) =>
      quoted(description === "" ? escapedColon(text) : `${escapedColon(text)}:${description}`),
    );
    return `    ${quoted(keyOf(path))}) offers=(${described.join(" ")}) ;;`;
  });
  const values = valued(all).map(({ at, values }) =>
    values.length === 0
      ? `    ${quoted(at)}) _files; return ;;`
      : `    ${quoted(at)}) compadd -- ${values.map(quoted).join(" ")}; return ;;`,
  );
  return `#compdef telltale
_telltale() {
  local at= before= word
  local -a offers
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      ${pathPattern(all)}) at="$at $word" ;;
    esac
    before=$word
  done
  case "$at $before" in
${values.join("\n")}
  esac
  case "$at" in
${offers.join("\n")}
  esac
  _describe telltale offers
}
if [ "\${funcstack[1]}" = _telltale ]; then _telltale "$@"; else compdef _telltale telltale; fi`;
}

/** A script for fish 3 and newer. */
export function fishCompletion(all: readonly CompletedWord[]): string {
  const lines = all.flatMap(({ path, words, options }) => {
    const here = `complete -c telltale -n ${fishQuoted(`__telltale_at ${fishQuoted(keyOf(path))}`)}`;
    return [
      ...words.map(({ text, description }) => `${here} -f -a ${text}${fishDescription(description)}`),
      ...options.map(({ text, description, takesValue, values }) => {
        const value = takesValue
          ? values.length === 0
            ? " -r"
            : ` -x -a ${fishQuoted(values.join(" "))}`
          : " -f";
        return `${here} -l ${text.replace(/^--/, "")}${value}${fishDescription(description)}`;
      }),
    ];
  });
  return `# Completion of telltale for fish.
function __telltale_at
    set -l at ''
    for word in (commandline -opc)[2..]
        switch "$at $word"
            case ${all
              .filter(({ path }) => path.length > 0)
              .map(({ path }) => fishQuoted(keyOf(path)))
              .join(" ")}
                set at "$at $word"
        end
    end
    test "$at" = $argv[1]
end
complete -c telltale -f
${lines.join("\n")}`;
}

/** `at` of a script: each word with a blank before it. */
function keyOf(path: readonly string[]): string {
  return path.map((word) => ` ${word}`).join("");
}

function pathPattern(all: readonly CompletedWord[]): string {
  return all
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => quoted(keyOf(path)))
    .join("|");
}

/** The options that take a value, each with the words before it. */
function valued(
  all: readonly CompletedWord[],
): { readonly at: string; readonly values: readonly string[] }[] {
  return all.flatMap(({ path, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map(({ text, values }) => ({ at: `${keyOf(path)} ${text}`, values })),
  );
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function fishDescription(text: string): string {
  return text === "" ? "" : ` -d ${fishQuoted(text)}`;
}

function escapedColon(text: string): string {
  return text.replaceAll(":", "\\:");
}
