import { z } from "zod";
import { type ConformanceCase, offersOf, parseCases, TRANSPORTS } from "./case-format.ts";
import { Conversation } from "./conversation.ts";
import { Play } from "./play.ts";
import { Stage } from "./stage.ts";
import { ClientFault } from "./visit.ts";

const asked = z.object({
  case: z.string(),
  transports: z.array(z.enum(TRANSPORTS)),
  /** How long the script waits for anything, in seconds of the wall clock. */
  patience_seconds: z.number().positive().default(20),
});

/** The server that runners talk to: it lists the cases, and plays them. */
export interface ConformanceServer {
  readonly url: string;
  stop(): void;
}

/** Throws if a file of cases breaks the format. Port 0 is any free one. */
export async function startConformanceServer(files: readonly string[], port = 0): Promise<ConformanceServer> {
  const cases = (await Promise.all(files.map(readCases))).flat();
  const runs = new Map<string, Run>();
  const begin = async (request: Request) => {
    const { case: name, transports, patience_seconds } = asked.parse(await request.json());
    const conformanceCase = cases.find((one) => one.case === name);
    if (conformanceCase === undefined) return problem(404, "no_such_case");
    const run = `${runs.size + 1}`;
    runs.set(run, beginRun(conformanceCase, transports, patience_seconds));
    return Response.json({ run });
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    idleTimeout: 0,
    routes: {
      "/cases": { GET: () => Response.json(cases.flatMap(offersOf)) },
      "/runs": { POST: begin },
      "/runs/:run/next": {
        async POST(request) {
          const run = runs.get(request.params.run);
          const text = await request.text();
          return run
            ? Response.json(await run.talk.next(text === "" ? null : JSON.parse(text)))
            : problem(404, "no_such_run");
        },
      },
      "/runs/:run/token": {
        POST(request) {
          const token = runs.get(request.params.run)?.stage.token();
          return token === undefined ? problem(503, "no_token") : Response.json({ token });
        },
      },
    },
    fetch: () => problem(404, "not_found"),
    error: (error) => problem(400, "bad_request", error.message),
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    stop() {
      for (const { stage } of runs.values()) stage.stop();
      void server.stop(true);
    },
  };
}

async function readCases(file: string): Promise<readonly ConformanceCase[]> {
  try {
    return parseCases(await Bun.file(file).text());
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
  }
}

interface Run {
  readonly stage: Stage;
  readonly talk: Conversation;
}

function beginRun(
  played: ConformanceCase,
  transports: z.infer<typeof asked>["transports"],
  patience: number,
): Run {
  const stage = new Stage(patience, played.token_seconds);
  const talk = new Conversation();
  const done = (passed: boolean, why: string | null) => {
    stage.stop();
    void talk.say({ do: "done", passed, why });
  };
  new Play(stage, talk).all(played, transports).then(
    () => done(true, null),
    (error: unknown) => {
      const isOfClient = error instanceof ClientFault;
      done(false, isOfClient ? error.message : `the script itself failed: ${(error as Error).stack}`);
    },
  );
  return { stage, talk };
}

function problem(status: number, code: string, detail?: string): Response {
  const headers = { "Content-Type": "application/problem+json" };
  return new Response(JSON.stringify({ code, detail }), { status, headers });
}
