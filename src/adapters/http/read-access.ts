import type { Context, MiddlewareHandler, Next } from "hono";
import { cors } from "hono/cors";
import { TokenRejected } from "../../application/errors.ts";
import type { WatcherGrant } from "../../application/grant-of.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { AccessGrant } from "../../domain/access-grant.ts";
import { type AnalysisId, parseAnalysisId } from "../../domain/channel.ts";
import { holderOf } from "../../session/admission.ts";
import { cookiesCount, isOriginAllowed, type OriginPolicy } from "../../session/origin-policy.ts";
import { type PresentedToken, presentedToken } from "../../session/presented-token.ts";
import { problem, unauthenticated } from "./problem.ts";

/** Things about a request that its server knows, or the application that embeds the gateway. */
export interface RequestBindings {
  /** Ends the connection once it was idle for some seconds, in place of the usual time. */
  readonly cut: () => void;
  /** The client, if the application says who it is; else the request itself says so. */
  readonly presented: PresentedToken;
}

/** Empty if nobody gave any. */
export function requestBindings(context: Context): Partial<RequestBindings> {
  return (context.env as RequestBindings | undefined) ?? {};
}

/** The user of a request that may name several analyses. */
export interface Watcher {
  Variables: { grant: AccessGrant; userId: string };
}

/** The reader of a request and the analysis that the request is about. */
export interface Reader {
  Variables: Watcher["Variables"] & { analysisId: AnalysisId };
}

const READING = ["GET", "HEAD"];
/** A watcher's page may ask to cancel, by a bearer token alone. */
const CANCELLING = /\/cancel$/;
const PREFLIGHT_SECONDS = 600;

/**
 * Lets the pages of allowed origins read, with any header and with their cookies. If every origin is allowed, a cookie is
 * no credential. Methods that do not read are not for pages of other sites.
 */
export function readCors(policy: OriginPolicy): MiddlewareHandler {
  const everyOrigin = policy.allowedOrigins === "*";
  const reading = cors({
    origin: everyOrigin ? "*" : (origin, context) => (originAllowed(context, policy) ? origin : null),
    credentials: !everyOrigin,
    allowMethods: (_, { req }) => (CANCELLING.test(req.path) ? ["POST"] : READING),
    // Without a list the answer to a preflight allows the headers it asks for.
    exposeHeaders: ["Retry-After"],
    maxAge: PREFLIGHT_SECONDS,
  });
  return (context, next) =>
    READING.includes(context.req.method) ||
    context.req.method === "OPTIONS" ||
    CANCELLING.test(context.req.path)
      ? reading(context, next)
      : next();
}

/** Lets a request through if its page is allowed, its token is valid and `:id` of the path is an analysis. */
export function requireReader(tokens: TokenVerifierPort, policy: OriginPolicy): MiddlewareHandler<Reader> {
  return async (context, next) => {
    if (!originAllowed(context, policy)) return problem(context, "origin_not_allowed");
    const analysisId = parseAnalysisId(context.req.param("id") ?? "");
    if (analysisId === undefined) return problem(context, "not_an_analysis_id");
    context.set("analysisId", analysisId);
    return admitted(context, next, tokens, policy);
  };
}

/** As `requireReader`, for a path that names no analysis. */
export function requireWatcher(tokens: TokenVerifierPort, policy: OriginPolicy): MiddlewareHandler<Watcher> {
  return async (context, next) =>
    originAllowed(context, policy)
      ? admitted(context, next, tokens, policy)
      : problem(context, "origin_not_allowed");
}

/** Lets a request through if its token is valid. */
async function admitted(
  context: Context,
  next: Next,
  tokens: TokenVerifierPort,
  policy: OriginPolicy,
): Promise<Response | undefined> {
  const watcher = await watcherGrant(context, tokens, policy);
  if (watcher instanceof TokenRejected) return unauthenticated(context, watcher);
  context.set("grant", watcher.grant);
  context.set("userId", watcher.userId);
  context.header("Cache-Control", "no-store");
  await next();
  return undefined;
}

function originAllowed(context: Context, policy: OriginPolicy): boolean {
  return isOriginAllowed(context.req.header("Origin") ?? null, context.req.header("Host") ?? null, policy);
}

/** The grant of a reader, from the same sources as on a WebSocket apart from the subprotocol. */
async function watcherGrant(
  context: Context,
  tokens: TokenVerifierPort,
  policy: OriginPolicy,
): Promise<WatcherGrant | TokenRejected> {
  const { presented } = requestBindings(context);
  if (presented !== undefined) return holderOf(tokens, presented);
  const header = (name: string) => context.req.header(name) ?? null;
  const own = presentedToken({
    query: context.req.queries("token") ?? [],
    authorization: header("Authorization"),
    protocols: null,
    cookie: header("Cookie"),
    // The route refused an origin that is not allowed before. A page that sends no origin must not be of another site.
    cookieTrusted:
      cookiesCount(policy) && (header("Origin") !== null || header("Sec-Fetch-Site") !== "cross-site"),
  });
  return holderOf(tokens, own);
}
