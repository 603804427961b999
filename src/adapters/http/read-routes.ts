import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { TokenRejected } from "../../application/errors.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import type { ReadAnalysis } from "../../application/read-analysis.ts";
import { AccessGrant } from "../../domain/access-grant.ts";
import { parseAnalysisId } from "../../domain/channel.ts";
import { isOriginAllowed, type OriginPolicy } from "../origin-policy.ts";
import { presentedToken } from "../presented-token.ts";
import { problem } from "./problem.ts";

/** Reading an analysis over HTTP, under the same rights as watching it. */
export function readRoutes(tokens: TokenVerifierPort, read: ReadAnalysis, policy: OriginPolicy): Hono {
  const routes = new Hono();
  const allowed = (context: Context) =>
    isOriginAllowed(context.req.header("Origin") ?? null, context.req.header("Host") ?? null, policy);
  routes.use(
    "/:id",
    cors({
      origin: (origin, context) => (allowed(context) ? origin : null),
      credentials: true,
      allowMethods: ["GET"],
      allowHeaders: ["Authorization"],
    }),
  );

  routes.get("/:id", async (context) => {
    if (!allowed(context)) return problem(context, "origin_not_allowed");
    const id = parseAnalysisId(context.req.param("id"));
    if (id === undefined) return problem(context, "not_an_analysis_id");
    const grant = await watchGrant(context, tokens);
    if (grant instanceof TokenRejected) return problem(context, "unauthenticated", { detail: grant.message });
    const answer = await read.execute(id, grant);
    if (answer.type === "not_allowed") return problem(context, "not_allowed");
    context.header("Cache-Control", "no-store");
    return context.json(answer.state);
  });

  return routes;
}

/** The grant of whoever reads, from the same sources as on a WebSocket, but for the subprotocol. */
async function watchGrant(context: Context, tokens: TokenVerifierPort): Promise<AccessGrant | TokenRejected> {
  const header = (name: string) => context.req.header(name) ?? null;
  const presented = presentedToken({
    query: context.req.query("token") ?? null,
    authorization: header("Authorization"),
    protocols: null,
    cookie: header("Cookie"),
    // An origin that is not allowed was refused before; a page that sends none must not be another site's.
    cookieTrusted: header("Origin") !== null || header("Sec-Fetch-Site") !== "cross-site",
  });
  if (presented.type !== "token") return new TokenRejected(`token ${presented.type}`);
  try {
    const grant = new AccessGrant(await tokens.verify(presented.token));
    return grant.userId === undefined ? new TokenRejected("the token names no user") : grant;
  } catch (error) {
    if (error instanceof TokenRejected) return error;
    throw error;
  }
}
