import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { signToken, type TokenRequest } from "../../adapters/jwt/token-signer.ts";
import { reasonOf } from "../../application/errors.ts";
import { reachable } from "../reachable.ts";
import { CommandFailed, readConfig } from "./command-failed.ts";
import { configuredKey } from "./configured-key.ts";
import { EXIT } from "./exit-codes.ts";

/** The gateway that a command talks to. */
export interface GatewayAccess {
  /** `http:` or `https:`, with any path prefix. */
  readonly url: string;
  /** A token that is good now: asked before each connection. */
  readonly token: () => string | Promise<string>;
}

/** For the help of each command that talks to a gateway. */
export const ACCESS_HELP = `
The gateway: --url, else TELLTALE_URL, else HOST and PORT on this machine.
The token: TELLTALE_TOKEN, or the text of the file that TELLTALE_TOKEN_FILE names, read again for each connection;
else one that is signed with JWT_SECRET_KEY; else, to watch, one of the gateway's demo.`;

/**
 * Finds the gateway, and tokens for `rights`. Rejects with `CommandFailed` and code 78 if there is no token, or if the
 * environment names no gateway.
 */
export async function gatewayAccess(
  url: string | undefined,
  rights: Omit<TokenRequest, "expiresInSeconds">,
): Promise<GatewayAccess> {
  const address = url ?? configuredAddress();
  const given = givenToken();
  if (given !== undefined) return { url: address, token: given };
  const key = configuredKey();
  if (key !== undefined) {
    const request = { ...rights, expiresInSeconds: TOKEN_SECONDS };
    return { url: address, token: () => signToken(key.secret, request, Date.now(), key.rules) };
  }
  if (rights.scopes.length > 0) throw new CommandFailed(EXIT.configuration, NO_TOKEN);
  const token = () => demoToken(address);
  try {
    await token();
  } catch (error) {
    throw new CommandFailed(
      EXIT.configuration,
      `${NO_TOKEN}\nThe demo of ${address} gives none: ${reasonOf(error)}`,
    );
  }
  return { url: address, token };
}

/**
 * The token of the environment, which its file is asked for each time; undefined if there is none. Throws `CommandFailed` with
 * code 78 if it is no token.
 */
export function givenToken(): (() => string) | undefined {
  const { TELLTALE_TOKEN = "", TELLTALE_TOKEN_FILE = "" } = process.env;
  if (TELLTALE_TOKEN !== "") {
    if (isSendable(TELLTALE_TOKEN)) return () => TELLTALE_TOKEN;
    throw new CommandFailed(EXIT.configuration, "TELLTALE_TOKEN: must be a token; it has other characters");
  }
  if (TELLTALE_TOKEN_FILE === "") return undefined;
  const token = () => tokenIn(TELLTALE_TOKEN_FILE);
  try {
    token();
  } catch (error) {
    throw new CommandFailed(EXIT.configuration, reasonOf(error));
  }
  return token;
}

/** Reads an option that names a gateway. */
export function parseAddress(text: string): string {
  if (isAddress(text)) return text;
  throw new InvalidArgumentError("Give an address as https://telltale.example, without a user, a ? or a #.");
}

const TOKEN_SECONDS = 3600;
const PATIENCE_MS = 5_000;
const NO_TOKEN =
  "There is no token. Set TELLTALE_TOKEN, or TELLTALE_TOKEN_FILE to a file that holds one, or JWT_SECRET_KEY as for the gateway.";

function configuredAddress(): string {
  const { TELLTALE_URL = "", HOST, HOST_FILE, PORT, PORT_FILE } = process.env;
  if (TELLTALE_URL !== "") {
    if (isAddress(TELLTALE_URL)) return TELLTALE_URL;
    throw new CommandFailed(
      EXIT.configuration,
      "TELLTALE_URL: must be an address as https://telltale.example, without a user, a ? or a #",
    );
  }
  const { host, port } = readConfig({ HOST, HOST_FILE, PORT, PORT_FILE });
  if (port !== 0) return `http://${reachable(host)}:${port}`;
  throw new CommandFailed(EXIT.configuration, "PORT is 0: give the address of the gateway as --url");
}

/** A name and a password in it, and whatever follows a ? or a #, would be sent to nobody, and shown in messages. */
function isAddress(text: string): boolean {
  if (/[?#]/.test(text)) return false;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
}

/** Throws with words that hold nothing of the file: later it may be empty for a moment, while somebody writes it. */
function tokenIn(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new Error(`TELLTALE_TOKEN_FILE: the file cannot be read (${reasonOf(error)})`);
  }
  if (text === "") throw new Error("TELLTALE_TOKEN_FILE: the file is empty");
  if (!isSendable(text)) throw new Error("TELLTALE_TOKEN_FILE: the file holds no token alone");
  return text;
}

/** As the demo page gets it. */
async function demoToken(url: string): Promise<string> {
  const answer = await fetch(`${url.replace(/\/+$/, "")}/demo/session`, {
    method: "POST",
    redirect: "error",
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const { token } = answer.ok ? ((await answer.json()) as { token?: unknown }) : {};
  if (typeof token === "string") return token;
  throw new Error(`it answered ${answer.status}`);
}

/** Whether a subprotocol may hold it (RFC 9110, token). Not left to the WebSocket, whose message would show the token. */
function isSendable(token: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(token);
}
