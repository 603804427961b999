import { type Command, InvalidArgumentError, Option } from "commander";
import { signToken } from "../../adapters/jwt/token-signer.ts";
import type { Scope } from "../../domain/access-grant.ts";
import { parseAnalysisId } from "../../domain/channel.ts";
import { CommandFailed } from "./command-failed.ts";
import { addExamples } from "./command-help.ts";
import { configuredKey } from "./configured-key.ts";
import { parseDuration } from "./durations.ts";
import { EXIT } from "./exit-codes.ts";
import { out } from "./standard-streams.ts";

const SCOPES: readonly Scope[] = ["analysis:publish", "analysis:cancel", "notice:publish"];
const AN_HOUR = 3600;

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
  addExamples(
    command,
    ["telltale token --user alice --analyses '*' --expires 1h", "for a person who may watch everything"],
    ["telltale token --scope analysis:publish --expires 30d", "for a worker"],
  );
  command
    .description("prints a token for the key in JWT_SECRET_KEY (or the file in JWT_SECRET_KEY_FILE)")
    .option("--user <id>", "who the token is for; needed to watch", parseUser)
    .option(
      "--analyses <ids>",
      "limits it to these analyses, separated by commas, or '*' for all",
      parseAnalyses,
    )
    .addOption(
      new Option("--scope <scope>", "what it may publish; may be repeated")
        .choices(SCOPES)
        .argParser(parseScopes)
        .default([], "none"),
    )
    .addOption(
      new Option("--expires <time>", "how long it is good: 90s, 15m, 1h, 7d")
        .argParser(parseDuration)
        .default(AN_HOUR, "1h"),
    )
    .action(async (options: TokenOptions) => {
      if (options.user === undefined && options.scope.length === 0) {
        command.error(
          "error: a token without --user cannot watch and one without --scope cannot publish; give one",
        );
      }
      out(`${await signedToken(options)}\n`);
    });
}

function signedToken({ user, analyses, scope, expires }: TokenOptions): Promise<string> {
  const request = {
    ...(user === undefined ? {} : { user }),
    ...(analyses === undefined ? {} : { analyses }),
    scopes: scope,
    expiresInSeconds: expires,
  };
  const { secret, rules } = signingKey();
  return signToken(secret, request, Date.now(), rules);
}

function signingKey(): NonNullable<ReturnType<typeof configuredKey>> {
  const key = configuredKey();
  if (key !== undefined) return key;
  throw new CommandFailed(
    EXIT.configuration,
    "No key is configured. Set JWT_SECRET_KEY (at least 32 bytes), or JWT_SECRET_KEY_FILE to a file that holds it,\n" +
      "to the same value here and for the gateway. A gateway that made up its own key takes no token of this command.",
  );
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
