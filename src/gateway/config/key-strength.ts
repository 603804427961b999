/**
 * The reason why a token key is too easy to guess; undefined if it is not. A known example is, and so is a key that holds
 * under 128 bits by `estimatedBits`. A random key of 32 hexadecimal digits, letters, Base32 or Base64 characters passes,
 * and so do ten words that dice chose. Chance makes an exception in one of some 100,000 keys, for instance a hexadecimal
 * key without any letter: such a key cannot be told from 32 decimal digits, which hold 106 bits.
 */
export function weaknessOf(key: string): string | undefined {
  if (KNOWN_EXAMPLES.has(folded(key))) return "is a known example";
  if (estimatedBits(key) >= LEAST_BITS) return undefined;
  return `is easy to guess: it holds under ${LEAST_BITS} bits by a simple estimate`;
}

const LEAST_BITS = 128;

/** A shorter repetition or sequence occurs in random keys as well. */
const SHORTEST_PATTERN = 5;

/** The estimate ignores the rest of a longer key. */
const LONGEST_LOOKED_AT = 1_024;

const WORDS = [
  "secret",
  "password",
  "change",
  "example",
  "default",
  "insecure",
  "private",
  "production",
  "development",
  "please",
  "super",
  "token",
  "telltale",
];

/** Keys side by side on a keyboard, in rows and, from one row to the next, in columns. */
const KEYBOARD = [
  "1234567890",
  "qwertyuiop",
  "asdfghjkl",
  "zxcvbnm",
  "qwertzuiop",
  "yxcvbnm",
  "azertyuiop",
  "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
].flatMap((keys) => [keys, [...keys].toReversed().join("")]);

/** A word that dice choose from a list of 7,776 holds a little less. */
const BITS_OF_A_WORD = 13;

/** A word in one case or with a capital at its beginning, of at most 15 letters; or a short number such as a year. */
const WORD = /^(?:\p{L}\p{Ll}{0,14}|\p{Lu}{1,15}|\d{1,4})$/u;
const FEWEST_WORDS = 3;

/** Keys that people copy from a README, a tutorial or a template, without case and punctuation. */
const KNOWN_EXAMPLES: ReadonlySet<string> = new Set(
  [
    // Telltale's own.
    "at-least-32-bytes-that-the-gateway-has-too",
    "at least 32 random bytes that your token issuer knows as well",
    "the-same-key-as-the-gateway-at-least-32-bytes",
    "a-secret-for-tests-of-32-bytes-or-more",
    "a-secret-for-the-bench-of-32-bytes-or-more",
    "a key of the tests, thirty-two bytes and more",
    "7f3a9c51e0d24b68a1f7c93e5d08b246",
    "kR8mQ2vX5tZ9wB3nL6pD1sF4hJ7gC0yA",
    // jwt.io.
    "your-256-bit-secret-your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    // FastAPI, Spring tutorials, Supabase, PostgREST, Mercure, Laravel and others.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "3cfa76ef14937c1c0ea519f8fc057a80fcd04a7420f8e8bcd0a7567c272e007b",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "reallyreallyreallyreallyverysafe",
    "!ChangeThisMercureHubJWTSecretKey!",
    "your-secret-key-at-least-32-characters-long",
    "your-secret-key-must-be-at-least-32-characters",
    "your-super-secret-key-change-in-production",
    "your_jwt_secret_key_here_change_in_production",
    "this-is-a-secret-key-that-is-at-least-32-bytes",
    "this is my custom Secret key for authentication",
    "THIS IS USED TO SIGN AND VERIFY JWT TOKENS, REPLACE IT WITH YOUR OWN SECRET, IT CAN BE ANY STRING",
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
  ].map(folded),
);

function folded(key: string): string {
  return key.toLowerCase().replace(/[^a-z0-9]/g, "");
}

/**
 * The number of characters of the key times the bits of one character. A character holds as many bits as the kinds in the
 * key allow: digits, small letters, capitals, others. Each of these counts as one character: five or more that repeat
 * earlier ones, five or more in sequence (`abcde`, `54321`), five or more side by side on a keyboard, a word that secrets
 * are made of. A text that consists of words holds no more bits than the words.
 */
function estimatedBits(key: string): number {
  const text = key.slice(0, LONGEST_LOOKED_AT);
  const lower = text.toLowerCase();
  let characters = 0;
  for (let at = 0; at < lower.length; at += patternAt(lower, at)) characters++;
  const bits = characters * bitsOfCharacter(text);
  return Math.min(bits, bitsOfWords(text) ?? bits);
}

/** The bits of a text that consists of words, each counted once and as at most 13 bits; undefined for any other text. */
function bitsOfWords(text: string): number | undefined {
  const words = text.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== "");
  // The groups of a random key all have the same length, apart from the last.
  const lengths = new Set(words.slice(0, -1).map(({ length }) => length));
  if (words.length < FEWEST_WORDS || lengths.size < 2 || !words.every((word) => WORD.test(word))) {
    return undefined;
  }
  const distinct = [...new Set(words.map((word) => word.toLowerCase()))];
  return distinct.reduce(
    (sum, word) => sum + Math.min(BITS_OF_A_WORD, word.length * bitsOfCharacter(word)),
    0,
  );
}

function bitsOfCharacter(text: string): number {
  const kinds: readonly (readonly [RegExp, number])[] = [
    [/[0-9]/, 10],
    [/[a-z]/, 26],
    [/[A-Z]/, 26],
    [/[^0-9A-Za-z]/, 33],
  ];
  return Math.log2(kinds.reduce((sum, [kind, size]) => (kind.test(text) ? sum + size : sum), 0));
}

/** The number of characters from `at` on that count as one. */
function patternAt(text: string, at: number): number {
  const word = WORDS.find((one) => text.startsWith(one, at))?.length ?? 1;
  const longest = Math.max(repeatedAt(text, at), sequenceAt(text, at), neighboursAt(text, at));
  return Math.max(word, longest >= SHORTEST_PATTERN ? longest : 1);
}

/** The number of characters from `at` on that repeat earlier ones, overlapping or not. */
function repeatedAt(text: string, at: number): number {
  let length = 0;
  while (at + length < text.length && text.indexOf(text.slice(at, at + length + 1)) < at) length++;
  return length;
}

/** The number of characters from `at` on that are side by side on a keyboard. */
function neighboursAt(text: string, at: number): number {
  let length = 1;
  while (at + length < text.length && KEYBOARD.some((keys) => keys.includes(text.slice(at, at + length + 1))))
    length++;
  return length;
}

function sequenceAt(text: string, at: number): number {
  const step = text.charCodeAt(at + 1) - text.charCodeAt(at);
  if (Math.abs(step) !== 1) return 1;
  let length = 2;
  while (text.charCodeAt(at + length) - text.charCodeAt(at + length - 1) === step) length++;
  return length;
}
