import { type Context, Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import type { ClockPort } from "../../../application/ports/clock-port.ts";
import type { RecentRefusals } from "../../../application/recent-refusals.ts";
import { TelltalePublisher } from "../../../client/publisher.ts";
import type { Scope } from "../../../domain/access-grant.ts";
import { type PageFiles, pageRoutes } from "../page-routes.ts";
import { problem } from "../problem.ts";
import { requestText } from "../request-text.ts";
import { ownNamesOnly, ownPageOnly } from "./demo-callers.ts";
import { DemoPipelines } from "./demo-pipeline.ts";
import { noteRefusedPublishes } from "./note-refused-publishes.ts";

export interface DemoDependencies {
  /** The page at `/`. */
  readonly page: PageFiles;
  /** Whether only this machine reaches the gateway: if so, the demo answers to this machine's names only. */
  readonly ownNamesOnly: boolean;
  /** The address of this gateway. It is asked at each use, since the port may be known only after the start. */
  readonly baseUrl: () => string;
  /** Without `analyses` the token is not limited to any. */
  readonly mintToken: (claims: {
    readonly user: string;
    readonly analyses?: readonly string[];
    readonly scopes: readonly Scope[];
    readonly expiresInSeconds: number;
  }) => Promise<string>;
  readonly clock: ClockPort;
  /** The recent refusals of this gateway. They tell a visitor why an analysis shows nothing. */
  readonly refusals: RecentRefusals;
  /** An event of the built-in pipeline could not be published. */
  readonly onFault: (analysisId: string, error: unknown) => void;
}

export interface Demo {
  readonly routes: Hono;
  /** Ends the pipelines that still run. */
  stop(): void;
}

const DEMO_PATHS = ["/", "/demo/*"];
const VISITOR_COOKIE = "telltale_visitor";
const VISITOR = /^visitor-[0-9a-f-]{36}$/;
const VISITOR_TOKEN_SECONDS = 3_600;
const PIPELINE_TOKEN_SECONDS = 900;
const MOST_PIPELINES = 20;

const wishBody = z.object({
  outcome: z.enum(["fake", "authentic", "failure"]).default("fake"),
  /** 1 takes about 25 seconds. */
  speed: z.number().min(0.1).max(50).default(1),
});

/**
 * The backend of the demo page, in place of a customer's: it gives every visitor a user id and a token, and starts
 * analyses. It is for development only, because everybody who can reach it may watch.
 */
export function createDemo(dependencies: DemoDependencies): Demo {
  const pipelines = new DemoPipelines(dependencies.clock, MOST_PIPELINES, dependencies.onFault);
  const routes = new Hono();
  if (dependencies.ownNamesOnly) for (const path of DEMO_PATHS) routes.use(path, ownNamesOnly);
  routes.on("POST", "/demo/*", ownPageOnly);
  routes.route("/", pageRoutes(dependencies.page));

  routes.post("/demo/session", async (context) => {
    const user = visitorOf(context);
    // A visitor from another machine only watches.
    const mayCancel = dependencies.ownNamesOnly;
    const token = await dependencies.mintToken({
      user,
      scopes: mayCancel ? ["analysis:cancel"] : [],
      expiresInSeconds: VISITOR_TOKEN_SECONDS,
    });
    context.header("Cache-Control", "no-store");
    return context.json({ user, token, may_cancel: mayCancel });
  });

  routes.post("/demo/analyses", async (context) => {
    const wish = readWish(await requestText(context));
    if (wish === undefined) {
      return problem(context, "invalid_request", {
        detail: "outcome is fake, authentic or failure; speed is 0.1 to 50",
      });
    }
    const analysisId = crypto.randomUUID();
    const token = await dependencies.mintToken({
      user: "demo-pipeline",
      analyses: [analysisId],
      scopes: ["analysis:publish"],
      expiresInSeconds: PIPELINE_TOKEN_SECONDS,
    });
    const publisher = new TelltalePublisher({ url: dependencies.baseUrl(), token });
    if (!pipelines.start({ analysisId, ...wish, publisher })) {
      return tooManyPipelines(context);
    }
    return context.json({ analysis_id: analysisId }, 201);
  });

  routes.get("/demo/refusals/:id", (context) => {
    context.header("Cache-Control", "no-store");
    return context.json(dependencies.refusals.of(context.req.param("id").toLowerCase()));
  });

  routes.use("/v1/analyses/:id/events", noteRefusedPublishes(dependencies.refusals));

  return { routes, stop: () => pipelines.stopAll() };
}

/** The visitor's user id. The demo makes it up at the first visit and keeps it in a cookie that scripts cannot read. */
function visitorOf(context: Context): string {
  const known = getCookie(context, VISITOR_COOKIE);
  if (known !== undefined && VISITOR.test(known)) return known;
  const user = `visitor-${crypto.randomUUID()}`;
  setCookie(context, VISITOR_COOKIE, user, {
    httpOnly: true,
    sameSite: "Lax",
    // The demo may lie below any path.
    path: "/",
    maxAge: 30 * 86_400,
  });
  return user;
}

function readWish(body: string | undefined): z.infer<typeof wishBody> | undefined {
  if (body === undefined) return undefined;
  try {
    return wishBody.safeParse(body === "" ? {} : JSON.parse(body)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function tooManyPipelines(context: Context): Response {
  const detail = `${MOST_PIPELINES} analyses of the built-in pipeline are running already`;
  return context.body(
    JSON.stringify({
      type: "about:blank",
      title: "Too many demo analyses",
      status: 429,
      code: "too_many_demos",
      detail,
    }),
    429,
    { "Content-Type": "application/problem+json", "Retry-After": "10" },
  );
}
