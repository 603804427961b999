import type { Passage } from "./passages.ts";

/** One offence against the prose rule. */
export interface Finding {
  readonly line: number;
  /** The words that break the rule, with a few that follow them. */
  readonly words: string;
  /** The advice, to be read after "use". */
  readonly use: string;
}

interface Rule {
  readonly pattern: RegExp;
  /** A match that this finds in the text around it is no offence. `|` marks the beginning of the match. */
  readonly unless?: RegExp;
  readonly use: string;
}

/** The beginning of a text or sentence, of a paragraph in a comment, and of a test name after its rule's ID. */
const start = String.raw`(?<=^\s*|^\s*[A-Z]+-\d+[a-z]?(?:, [A-Z]+-\d+)*:? |(?<!\b(?:e\.g|i\.e|vs))[.!?]["')]*\s+|\n\s*\n\s*)`;

const ifOrWhen = '"if" or "when"';
/** Words after which "where" is a condition. */
const beforeConditions =
  "undefined|null|false|true|empty|zero|blank|none|nothing|everybody|throws|rejects|only|not|also|even|nor|except|and|or|but|set|left out|held up|told so|longer|for ever|again|at once|counted|dropped|at all|alike|0|-1";
/** Words before which "where" is a condition. */
const conditions = [
  "there (?:is|are|was|were) (?:no|none|nothing|nobody|one|any|some|more|others)",
  "none|no|nothing|nobody|somebody|others?|another|every|asked|needed|possible|left out|given|known",
  "(?:it|they|one|that|this|both|neither|either) (?:is|are|was|were|has|have|had|does|do|did|can|could|may|must|need|should|would)(?:n't| not| no| none| never)",
  "(?:it|they|one) (?:does|did|can|could|may|might|knows|needs|asks|differs?|fails?|failed|names|wants|runs|works|has)",
  "that is (?:not|no|known|shorter|longer|so)",
  "(?:the|a|an|its|their|these|those) \\w+(?: \\w+){0,3} (?:cannot|could not|did not|does not|do not|has none|had none|is off|is on|is away|is down|is known to be away|can never|may not)",
].join("|");

const rules: readonly Rule[] = [
  { pattern: sentence("What|Whatever"), unless: /\|[^.:]*\?/, use: "a noun: who or which thing does it" },
  { pattern: sentence("Who|Whoever"), unless: /\|[^.:]*\?/, use: "a noun: the client, worker, node … that" },
  { pattern: sentence("Of"), unless: /\|of course/i, use: "the subject first" },
  { pattern: sentence("Let"), use: "the actor as the subject" },
  {
    // A condition that opens its sentence, as in `Where Redis refuses one, it names the line.`
    pattern: /(?<=^\s*|[.!?:;]["')]*\s+)Where\b(?=[^.:;?]*, )/g,
    unless:
      /\|Where (?:in|on|and)\b|\|Where [^,.]*\b(?:stands?|stood|lies?|begins?|began|ends?|goes|lives?|keeps?|is read on)\b,? /,
    use: ifOrWhen,
  },
  { pattern: /(?<=^ *(?:[A-Z]+-\d+[a-z]?:? )?)where\b/g, use: ifOrWhen },
  {
    pattern: word(`(?:${beforeConditions}) where`),
    unless:
      /\b(?:place|table|line|field|page|file) and \||\|\w+ where (?:in|on|at)\b|where (?:it|they) (?:is|are|was|were|lies?|begins?|ends?|began|ended)[.,;]|\|and where (?:to|the \w+ is)\b|\|(?:and|or|but) where [^.,]*\b(?:stands?|stood|lies?|begins?|ends?|goes|comes from)\b/i,
    use: ifOrWhen,
  },
  {
    pattern: word(`where (?:${conditions})`),
    unless:
      /\b(?:places?|points?|pages?|tables?|lines?|fields?|files?|rooms?|folders?|channels?|machines?|servers?) \|/i,
    use: ifOrWhen,
  },
  { pattern: /(?<=\b(?:[Tt]hrows|[Rr]ejects with) ~+ )where\b/g, use: ifOrWhen },
  { pattern: word("lots?"), unless: /\|lots? (?:more|less)\b/i, use: '"batch"' },
  { pattern: word("bury|buries|buried|burying"), use: '"keep as a dead letter"' },
  { pattern: word("outlets?"), use: '"connection writer"' },
  { pattern: word("fanouts?"), use: '"broadcaster" (or "fan-out" for the whole)' },
  { pattern: word("adopt(?:s|ed|ing|ion)?"), use: '"ingest"' },
  { pattern: word("deaf(?:ness|ened)?"), use: '"stalled subscription"' },
  { pattern: word("hearing probes?"), use: '"subscription probe"' },
  { pattern: word("mistrust(?:s|ed|ing)?"), use: '"resync", with its reason' },
  { pattern: word("heal(?:s|ed|ing)?"), use: '"resync"' },
  {
    pattern: word("stands?|stood|standing"),
    unless: /\|(?:stands?|stood|standing) (?:(?:in )?for|out|still)\b/i,
    use: '"position", "current", "remains" or a plain "is"',
  },
  { pattern: word("thinned|thins|thinning"), use: '"conflate"' },
  {
    pattern: word("letters?"),
    unless:
      /\bdead[\s-]+\||\b(?:capital|small|lower|upper|lower-case|upper-case|ASCII|Latin|single|two|swapped|any|\d+|digits,)\s+\||\|letters?(?:,| and| or) (?:digits?|numbers?|marks?)/i,
    use: '"dead letter"',
  },
  { pattern: word("seen before"), use: '"has a known deduplication key"' },
];

/** The offences of one passage, in order. */
export function findingsIn(passage: Passage): Finding[] {
  const { text } = passage;
  return rules
    .flatMap(({ pattern, unless, use }) =>
      [...text.matchAll(pattern)]
        .filter(([words]) => words !== words.toUpperCase())
        .filter(({ index }) => !(unless?.test(around(text, index)) ?? false))
        .map(({ index }) => ({ index, use })),
    )
    .sort((a, b) => a.index - b.index)
    .filter(
      ({ index, use }, place, all) =>
        all[place - 1]?.use !== use || index - (all[place - 1]?.index ?? 0) > 20,
    )
    .map(({ index, use }) => ({
      line: passage.line + text.slice(0, index).split("\n").length - 1,
      words: text
        .slice(index, index + 50)
        .replace(/\s+/g, " ")
        .trim(),
      use,
    }));
}

function sentence(words: string): RegExp {
  // A test name begins in lower case, as a rule.
  return new RegExp(
    `${start}(?:${words}|(?<=^ *(?:[A-Z]+-\\d+[a-z]?:? )?)(?:${words.toLowerCase()}))\\b`,
    "g",
  );
}

function word(words: string): RegExp {
  return new RegExp(`(?<![\\w~-])(?:${words.replaceAll(" ", "\\s+")})(?![\\w-])`, "gi");
}

function around(text: string, index: number): string {
  const before = text.slice(Math.max(0, index - 40), index).replace(/\s+/g, " ");
  return `${before}|${text.slice(index, index + 120).replace(/\s+/g, " ")}`;
}
