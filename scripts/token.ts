/**
 * Prints a token for the configured key: `npm run token -- --user alice --analyses '*' --expires 1h`.
 * Exit code 2: bad arguments. 78: no key, or a bad one. The token stands alone on stdout, all else goes to stderr.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { signToken } from "../src/adapters/jwt/token-signer.ts";
import type { Scope } from "../src/domain/access-grant.ts";
import { parseAnalysisId } from "../src/domain/channel.ts";
import { loadConfig } from "../src/gateway/config/config.ts";

const EXIT_USAGE = 2;
const EXIT_CONFIG = 78;
const SCOPES: readonly Scope[] = ["analysis:publish", "notice:publish"];
const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

interface TokenOptions {
  readonly user?: string;
  readonly analyses?: "*" | readonly string[];
  readonly scope: readonly Scope[];
  readonly expires: number;
}

const program = new Command("token")
  .description("Prints a token for the key in JWT_SECRET_KEY (or the file in JWT_SECRET_KEY_FILE).")
  .option("--user <id>", "who the token is for; needed to watch", parseUser)
  .option(
    "--analyses <ids>",
    "limits it to these analyses, separated by commas, or '*' for all",
    parseAnalyses,
  )
  .addOption(
    new Option("--scope <scope>", `what it may publish: ${SCOPES.join(", ")}; may be repeated`)
      .argParser(parseScopes)
      .default([], "none"),
  )
  .addOption(
    new Option("--expires <time>", "how long it is good: 90s, 15m, 1h, 7d")
      .argParser(parseExpiry)
      .default(SECONDS.h, "1h"),
  )
  .exitOverride();

process.exitCode = await run();

async function run(): Promise<number> {
  let options: TokenOptions;
  try {
    options = program.parse().opts<TokenOptions>();
    if (options.user === undefined && options.scope.length === 0) {
      program.error(
        "error: a token without --user cannot watch and one without --scope cannot publish; give one",
      );
    }
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
  const secret = configuredSecret();
  if (secret === undefined) return EXIT_CONFIG;
  const { user, analyses, scope, expires } = options;
  const request = {
    ...(user === undefined ? {} : { user }),
    ...(analyses === undefined ? {} : { analyses }),
    scopes: scope,
    expiresInSeconds: expires,
  };
  console.log(await signToken(secret, request, Date.now()));
  return 0;
}

/** The key alone is read: a gateway's other settings may be at fault without spoiling a token. */
function configuredSecret(): string | undefined {
  const { JWT_SECRET_KEY, JWT_SECRET_KEY_FILE } = process.env;
  const loaded = loadConfig({ JWT_SECRET_KEY, JWT_SECRET_KEY_FILE }, (path) => readFileSync(path, "utf8"));
  if (!loaded.ok) {
    for (const { name, message } of loaded.faults) console.error(`${name}: ${message}`);
    return undefined;
  }
  if (loaded.config.jwt.generated) {
    console.error(
      "No key is configured. Set JWT_SECRET_KEY (at least 32 bytes), or JWT_SECRET_KEY_FILE to a file that holds it,\n" +
        "to the same value here and for the gateway. A gateway that made up its own key takes no token of this command.",
    );
    return undefined;
  }
  return loaded.config.jwt.secret;
}

function parseUser(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("It must not be blank.");
  return text;
}

function parseAnalyses(text: string): "*" | readonly string[] {
  if (text === "*") return "*";
  return text.split(",").map((entry) => {
    const id = parseAnalysisId(entry.trim());
    if (id === undefined) {
      throw new InvalidArgumentError(
        `${JSON.stringify(entry)} is not a UUID. For all of them give '*', in quotes.`,
      );
    }
    return id;
  });
}

function parseScopes(text: string, before: readonly Scope[]): readonly Scope[] {
  const given = text.split(/\s+/).filter((entry) => entry !== "");
  const known = given.map((entry) => {
    const scope = SCOPES.find((one) => one === entry);
    if (scope === undefined) throw new InvalidArgumentError(`Known scopes: ${SCOPES.join(", ")}.`);
    return scope;
  });
  return [...new Set([...before, ...known])];
}

function parseExpiry(text: string): number {
  const match = /^([1-9]\d{0,7})([smhd])$/.exec(text);
  if (match === null) throw new InvalidArgumentError("Give a number and a unit: 90s, 15m, 1h or 7d.");
  return Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
}
