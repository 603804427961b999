import { Hono } from "hono";
import page from "./page/index.html";
import { pageFiles } from "./page-files.ts";
import type { Enqueue } from "./queue.ts";
import { createTokens } from "./tokens.ts";
import { Uploads, UploadTooLarge } from "./uploads.ts";
import { visitorOf } from "./visitor.ts";

export interface WebAppSettings {
  readonly port: number;
  /** Uploads go here. */
  readonly folder: string;
  readonly gatewayUrl: string;
  readonly jwtSecret: string;
  readonly mostBytes: number;
  readonly enqueue: Enqueue;
}

export interface WebApp {
  readonly url: string;
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";
const DECLARE_TIMEOUT_MS = 5_000;
/** A phone on a bad line may send nothing for so long. */
const IDLE_SECONDS = 60;

/**
 * The part of a customer's backend: it takes the upload, says who may watch, starts the worker, and gives the visitor's
 * browser a token. Events never pass through here.
 */
export function startWebApp(settings: WebAppSettings): WebApp {
  const app = createApi(settings);
  const server = Bun.serve({
    hostname: HOST,
    port: settings.port,
    development: false,
    // Ours answers with words; Bun's limit would cut the line.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    idleTimeout: IDLE_SECONDS,
    fetch: app.fetch,
  });
  return { url: `http://${HOST}:${server.port}`, stop: () => server.stop(true) };
}

function createApi({ folder, gatewayUrl, jwtSecret, mostBytes, enqueue }: WebAppSettings): Hono {
  const tokens = createTokens(jwtSecret);
  const uploads = new Uploads(folder, mostBytes);
  const app = new Hono();

  app.get("/api/session", async (context) => {
    const user = await visitorOf(context);
    context.header("Cache-Control", "no-store");
    return context.json({
      user,
      token: await tokens.forVisitor(user),
      gateway_url: gatewayUrl,
      most_bytes: mostBytes,
    });
  });

  app.post("/api/analyses", async (context) => {
    const owner = await visitorOf(context);
    const body = context.req.raw.body;
    if (body === null) return refusal(400, "empty_upload", "The file is empty.");
    if (Number(context.req.header("Content-Length") ?? 0) > mostBytes) return tooLarge(mostBytes);
    const { analysisId, path } = await uploads.receive(owner, context.req.query("name") ?? "", body);
    try {
      // Before the first event can be published, so that nobody else ever sees one.
      await declareViewers(analysisId, [owner]);
      await enqueue(analysisId, path);
    } catch (error) {
      console.error(`analysis ${analysisId} could not be started:`, error);
      await uploads.discard(analysisId);
      return refusal(503, "cannot_start", "The analysis could not be started. Please try again in a moment.");
    }
    return context.json({ analysis_id: analysisId }, 201);
  });

  app.get("/api/analyses/:id/video", async (context) => {
    const upload = uploads.find(context.req.param("id"), await visitorOf(context));
    if (upload === undefined) return refusal(404, "not_found", "There is no such video of yours.");
    // Bun answers ranges, which players need for seeking.
    return new Response(Bun.file(upload.path), {
      headers: {
        "Content-Type": upload.contentType,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
        "Accept-Ranges": "bytes",
      },
    });
  });

  app.route("/", pageFiles(page, gatewayUrl));

  app.onError((error) => {
    if (error instanceof UploadTooLarge) return tooLarge(mostBytes);
    console.error("the web application failed:", error);
    return refusal(500, "internal_error", "Something went wrong here. Please try again.");
  });

  return app;

  async function declareViewers(analysisId: string, viewers: readonly string[]): Promise<void> {
    const response = await fetch(`${gatewayUrl}/v1/analyses/${analysisId}`, {
      method: "PUT",
      headers: {
        Authorization: `Bearer ${await tokens.forPublishing(analysisId)}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ viewers }),
      signal: AbortSignal.timeout(DECLARE_TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`the gateway answered ${response.status} to the viewers`);
  }
}

function tooLarge(mostBytes: number): Response {
  return refusal(413, "upload_too_large", `The file is larger than ${Math.floor(mostBytes / 1e6)} MB.`);
}

function refusal(status: number, code: string, message: string): Response {
  return Response.json({ code, message }, { status });
}
