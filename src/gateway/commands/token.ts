import { type Command, InvalidArgumentError, Option } from "commander";
import { signToken } from "../../adapters/jwt/token-signer.ts";
import type { Scope } from "../../domain/access-grant.ts";
import { parseAnalysisId } from "../../domain/channel.ts";
import { CommandFailed, EXIT, readConfig } from "./command-failed.ts";

const SCOPES: readonly Scope[] = ["analysis:publish", "notice:publish"];
const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

interface TokenOptions {
  readonly user?: string;
  readonly analyses?: "*" | readonly string[];
  readonly scope: readonly Scope[];
  readonly expires: number;
}

/**
 * `telltale token --user alice --analyses '*' --expires 1h` prints a token for the configured key. The token goes
 * alone to standard output, everything else to standard error. Without a key, or with a bad one, the exit code is 78.
 */
export function addToken(command: Command): void {
  command
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
    .action(async (options: TokenOptions) => {
      if (options.user === undefined && options.scope.length === 0) {
        command.error(
          "error: a token without --user cannot watch and one without --scope cannot publish; give one",
        );
      }
      console.log(await signedToken(options));
    });
}

function signedToken({ user, analyses, scope, expires }: TokenOptions): Promise<string> {
  const request = {
    ...(user === undefined ? {} : { user }),
    ...(analyses === undefined ? {} : { analyses }),
    scopes: scope,
    expiresInSeconds: expires,
  };
  return signToken(configuredSecret(), request, Date.now());
}

/** The configured key. Nothing else is read: a fault in the gateway's other settings does not spoil a token. */
function configuredSecret(): string {
  const { JWT_SECRET_KEY, JWT_SECRET_KEY_FILE } = process.env;
  const { jwt } = readConfig({ JWT_SECRET_KEY, JWT_SECRET_KEY_FILE });
  if (jwt.generated) {
    throw new CommandFailed(
      EXIT.configuration,
      "No key is configured. Set JWT_SECRET_KEY (at least 32 bytes), or JWT_SECRET_KEY_FILE to a file that holds it,\n" +
        "to the same value here and for the gateway. A gateway that made up its own key takes no token of this command.",
    );
  }
  return jwt.secret;
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
