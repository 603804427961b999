/** The content of a token, as its issuer wrote it. */
export type Claims = Readonly<Record<string, unknown>>;

/** The names that lead to a claim, from the outside in: `["realm_access", "roles"]`. */
export type ClaimPath = readonly string[];

/** One name, and the dot, the comma or the end after it. */
const STEP = /^\s*("([^"]+)"|'([^']+)'|([^\s"',./]+))\s*(\.|,|$)/;

/**
 * Reads paths that are separated by commas. The names of a path are separated by dots. A name that holds a dot, a slash, a
 * comma or a blank is in quotes: `"https://app.example/roles"`. Undefined if the text is anything else.
 */
export function parseClaimPaths(text: string): readonly ClaimPath[] | undefined {
  const paths: ClaimPath[] = [];
  let path: string[] = [];
  let rest = text;
  for (;;) {
    const [step = "", , double, single, bare, separator] = STEP.exec(rest) ?? [];
    if (step === "") return undefined;
    path.push(double ?? single ?? bare ?? "");
    rest = rest.slice(step.length);
    if (separator === ".") continue;
    paths.push(path);
    path = [];
    if (separator === "") return rest === "" ? paths : undefined;
  }
}

/** The claim that a path leads to; undefined if it is absent or null. */
export function claimAt(claims: Claims, path: ClaimPath): unknown {
  let value: unknown = claims;
  for (const name of path) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    // A name such as `constructor` must not lead to what every object has.
    value = Object.hasOwn(value, name) ? (value as Claims)[name] : undefined;
  }
  return value ?? undefined;
}

/** The claims with one more, where the path leads to. */
export function withClaim(claims: Claims, [name = "", ...rest]: ClaimPath, value: unknown): Claims {
  if (rest.length === 0) return { ...claims, [name]: value };
  const inner = claims[name];
  const isObject = typeof inner === "object" && inner !== null && !Array.isArray(inner);
  return { ...claims, [name]: withClaim(isObject ? (inner as Claims) : {}, rest, value) };
}

/** A path as it is written in a setting. */
export function nameOf(path: ClaimPath): string {
  return path.map((name) => (/^[^\s"',./]+$/.test(name) ? name : `"${name}"`)).join(".");
}
