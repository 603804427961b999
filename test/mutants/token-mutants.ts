import type { Mutant } from "./mutants.ts";

const VERIFIER = "src/adapters/jwt/jose-token-verifier.ts";
const ISSUER = "src/adapters/jwt/issuer-keys.ts";
const KEYS = "src/adapters/jwt/public-keys.ts";
const CLAIMS = "src/adapters/jwt/token-claims.ts";
const FETCH = "src/adapters/jwt/fetch-key-set.ts";
const ALGORITHMS_TEST = ["test/unit/adapters/jwt/algorithms.test.ts"];
const ISSUER_TEST = ["test/unit/adapters/jwt/issuer-keys.test.ts"];
const PROVIDERS_TEST = ["test/unit/gateway/providers.test.ts"];
const CONFIG_TEST = ["test/unit/gateway/config/jwt-config.test.ts"];

/** Faults in the keys of tokens: which ones count, when they are read, and what an issuer may do to a gateway. */
export const TOKEN_MUTANTS: readonly Mutant[] = [
  {
    name: "returns the claims of a token that nobody signed",
    file: VERIFIER,
    find: "    await this.#checkSignature(token, header, claims.iss);\n",
    replace: "",
    killers: ALGORITHMS_TEST,
  },
  {
    name: "takes a key of an issuer for keys of all issuers",
    file: ISSUER,
    find: "return issuers === undefined || issuers.some((one) => one === issuer);",
    replace: "return issuers !== null || issuer === undefined;",
    killers: ["test/unit/adapters/jwt/several-issuers.test.ts"],
  },
  {
    name: "takes a known name of a key for the key of every issuer",
    file: VERIFIER,
    find: "    // The others may have a key of the same name.\n",
    replace: '    if (reason === "bad signature") throw new TokenRejected(reason);\n',
    killers: ["test/unit/adapters/jwt/several-issuers.test.ts"],
  },
  {
    name: "uses a key for every algorithm of its kind, whatever it is for",
    file: KEYS,
    find: "(alg ?? one) === one",
    replace: "alg !== one || alg === one",
    killers: ALGORITHMS_TEST,
  },
  {
    name: "takes short keys of RSA",
    file: KEYS,
    find: "const LEAST_RSA_BITS = 2048;",
    replace: "const LEAST_RSA_BITS = 512;",
    killers: ["test/unit/adapters/jwt/several-issuers.test.ts"],
  },
  {
    name: "asks the issuer for every unknown key",
    file: ISSUER,
    find: "now - this.#lookedForUnknownAt >= COOLDOWN_MS",
    replace: "COOLDOWN_MS > 0",
    killers: ISSUER_TEST,
  },
  {
    name: "asks the issuer for a forged signature by a known key",
    file: VERIFIER,
    find: 'if (known?.named === true) reason = "bad signature";\n      else asked.push(keys);',
    replace: "asked.push(keys);\n      await keys.prepare();",
    killers: ISSUER_TEST,
  },
  {
    name: "forgets the keys of an issuer that is away",
    file: ISSUER,
    find: "    const failedAt = this.#clock.now();\n",
    replace: "    const failedAt = this.#clock.now();\n    this.#set = undefined;\n",
    killers: ISSUER_TEST,
  },
  {
    name: "refuses a token while its issuer is away",
    file: VERIFIER,
    find: "if (undecided !== undefined) throw undecided.reason;",
    replace: "",
    killers: ISSUER_TEST,
  },
  {
    name: "never reads the keys again as they age",
    file: ISSUER,
    find: "if (age > STALE_MS && this.#outage === undefined) return undefined;",
    replace: "",
    killers: ISSUER_TEST,
  },
  {
    name: "takes a set without keys for the keys of an issuer",
    file: ISSUER,
    find: 'if (keys.length === 0) throw new KeySetUnreadable("the key set has no key that can be used");',
    replace: "",
    killers: ISSUER_TEST,
  },
  {
    name: "follows a redirect of an issuer",
    file: FETCH,
    find: 'redirect: "manual"',
    replace: 'redirect: "follow"',
    killers: ISSUER_TEST,
  },
  {
    name: "reads an endless key set",
    file: FETCH,
    find: "if (bytes > MOST_BYTES)",
    replace: "if (bytes > 1e9)",
    killers: ISSUER_TEST,
  },
  {
    name: "does not look at the issuer of a token",
    file: CLAIMS,
    find: "issuers.length > 0 &&",
    replace: "issuers.length < 0 &&",
    killers: PROVIDERS_TEST,
  },
  {
    name: "does not look at the audience of a token",
    file: CLAIMS,
    find: "audiences.length > 0 &&",
    replace: "audiences.length < 0 &&",
    killers: PROVIDERS_TEST,
  },
  {
    name: "finds a claim in what every object has",
    file: "src/domain/claim-path.ts",
    find: "Object.hasOwn(value, name) ? (value as Claims)[name] : undefined",
    replace: "(value as Claims)[name]",
    killers: ["test/unit/domain/claim-path.test.ts"],
  },
  {
    name: "takes a public key for a secret",
    file: "src/gateway/config/jwt-secrets.ts",
    find: "if (isKeyText(text)) {",
    replace: "if (text === '') {",
    killers: CONFIG_TEST,
  },
  {
    name: "reads a key set over plain HTTP from anywhere",
    file: "src/gateway/config/jwt-config.ts",
    find: 'url.protocol === "https:" || isLoopback',
    replace: 'url.protocol !== "" || isLoopback',
    killers: CONFIG_TEST,
  },
  {
    name: "takes a half-written file of keys",
    file: "src/gateway/key-files.ts",
    find: "if (!isSettled || seen",
    replace: "if (seen",
    killers: ["test/unit/gateway/key-files.test.ts"],
  },
  {
    name: "throws the keys away when their file is empty",
    file: "src/gateway/key-files.ts",
    find: "if (fault !== undefined) return this.#warn(fault);",
    replace: "if (fault !== undefined) this.#warn(fault);",
    killers: ["test/unit/gateway/key-files.test.ts"],
  },
];
