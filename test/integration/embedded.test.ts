import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createTelltale } from "telltale/core";
import { snippetOf } from "../support/documents.ts";
import { type EmbeddingApplication, startApplication } from "../support/embedding-application.ts";
import { startNats } from "../support/nats-server.ts";
import { needs } from "../support/needs.ts";
import { resultUpdate, statusUpdate } from "../support/publishing.ts";
import { ReadingStream } from "../support/reading-stream.ts";
import { startRedis } from "../support/redis-server.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";

setDefaultTimeout(30_000);

const ID = "0b0f6f5e-7d0a-4c1e-9f0a-3f6f2a1f0a01";
const EVENTS = `/telltale/v1/analyses/${ID}/events`;
const root = new URL("../..", import.meta.url).pathname;

const deno = `${root}node_modules/.bin/deno`;

const RUNTIMES = [
  { runtime: "Bun", sockets: true, command: [process.execPath, "run", "examples/embedded/bun.ts"] },
  { runtime: "Deno", sockets: true, command: [deno, "run", "-A", "examples/embedded/deno.ts"] },
  { runtime: "Deno.serve", sockets: false, command: [deno, "run", "-A", "test/support/deno-serve.ts"] },
];

describe.each(RUNTIMES)("the application of examples/embedded on $runtime", ({ sockets, command }) => {
  let application: EmbeddingApplication;
  const cookies: Record<string, string> = {};

  beforeAll(async () => {
    application = await startApplication(command);
    for (const name of ["ada", "bob", "worker"]) {
      const login = await fetch(`${application.url}/login/${name}`, { method: "POST" });
      cookies[name] = /^session=[^;]+/.exec(login.headers.get("Set-Cookie") ?? "")?.[0] ?? "";
    }
  });
  afterAll(() => application?.kill9());

  const ask = (path: string, user: string | undefined, init: RequestInit = {}) =>
    fetch(`${application.url}${path}`, {
      ...init,
      headers: {
        ...(user !== undefined && { Cookie: cookies[user] ?? "" }),
        ...(init.headers as Record<string, string>),
      },
    });
  const post = (path: string, user: string, body: unknown) =>
    ask(path, user, { method: "POST", body: JSON.stringify(body) });
  const openStream = async (user: string | undefined) => {
    const leave = new AbortController();
    const headers = { Accept: "text/event-stream" };
    return new ReadingStream(await ask(EVENTS, user, { headers, signal: leave.signal }), leave);
  };
  /** As a page with `telltale/watcher` does: it offers a token as well, which nobody asks for. */
  const watch = (user: string | undefined) =>
    new WatchingSocket(watchUrl(`${application.url}/telltale`, ID), {
      protocols: ["telltale.v1", "bearer.cookie"],
      headers: { Origin: application.url, ...(user !== undefined && { Cookie: cookies[user] ?? "" }) },
    });

  test("EMB-2: lets nobody watch who is not signed in, and no user whose video it is not", async () => {
    expect((await openStream(undefined)).response.status).toBe(401);
    expect((await openStream("bob")).response.status).toBe(403);
    expect((await post(EVENTS, "ada", statusUpdate())).status).toBe(403);
    expect((await post(`/videos/${ID}/report`, "ada", statusUpdate())).status).toBe(403);
  });

  test("EMB-5: tells a worker what is wrong with its report", async () => {
    const refused = await post(`/videos/${ID}/report`, "worker", statusUpdate({ progress: 7 }));
    expect([refused.status, await refused.json()]).toMatchObject([422, { issues: [{ path: ["progress"] }] }]);
    const unread = await ask(`/videos/${ID}/report`, "worker", { method: "POST", body: "{" });
    expect(unread.status).toBe(400);
  });

  test("EMB-1: the owner hears by event stream what is published over HTTP and in process", async () => {
    const stream = await openStream("ada");
    expect(stream.response.status).toBe(200);
    expect((await post(EVENTS, "worker", statusUpdate({ message: "over HTTP" }))).status).toBe(202);
    const reported = await post(`/videos/${ID}/report`, "worker", statusUpdate({ message: "in process" }));
    const { eventIds } = (await reported.json()) as { eventIds: string[] };
    const heard: unknown[] = [];
    while (heard.length < 2) {
      const { event, data } = await stream.next();
      if (event === "status_update") heard.push(data.message);
      if (data.message === "in process") expect(data.event_id).toBe(eventIds[0]);
    }
    expect(heard).toEqual(["over HTTP", "in process"]);
    await stream.leave();
  });

  describe.skipIf(!sockets)("over WebSocket", () => {
    test("EMB-2: closes with 4001 or 4003", async () => {
      expect((await watch(undefined).closed).code).toBe(4001);
      expect((await watch("bob").closed).code).toBe(4003);
    });

    test("EMB-8: upgrades nothing that is not below its path", async () => {
      const elsewhere = new WatchingSocket(watchUrl(application.url, ID));
      expect([1002, 1006]).toContain((await elsewhere.closed).code);
    });

    test("EMB-1: the owner hears what is published", async () => {
      const socket = watch("ada");
      await socket.established();
      await post(`/videos/${ID}/report`, "worker", resultUpdate());
      expect(await socket.untilType("result_update")).toMatchObject({ confidence_score: 0.93 });
      await socket.leave();
    });
  });

  test("EMB-7: at SIGTERM the clients are told when to come back, and the application ends", async () => {
    const stream = await openStream("ada");
    const socket = sockets ? watch("ada") : undefined;
    await socket?.established();
    const exited = application.stop();
    await stream.rest();
    expect(stream.retry).toBeGreaterThanOrEqual(500);
    if (socket !== undefined) {
      const { code, reason } = await socket.closed;
      expect([code, reason]).toEqual([1001, expect.stringMatching(/^retry_after_ms=\d+$/)]);
    }
    expect(await exited).toBe(0);
  });
});

describe.each([
  ["Redis", "redis-server", () => startRedis()],
  ["NATS", "nats-server", () => startNats()],
] as const)("two gateways embedded in one process on one %s", (_, program, start) => {
  test.skipIf(!needs(program))(
    "EMB-6: a watcher of one hears what is published through the other",
    async () => {
      const broker = await start();
      const tokens = () => ({ userId: "ada", analyses: "*" as const });
      const [one, other] = await Promise.all(
        [0, 1].map(() => createTelltale({ broker: broker.url, tokens })),
      );
      try {
        const leave = new AbortController();
        const request = new Request(`http://app.example/v1/analyses/${ID}/events`, {
          headers: { Accept: "text/event-stream", Host: "app.example" },
          signal: leave.signal,
        });
        const stream = new ReadingStream((await one?.fetch(request)) as Response, leave);
        await stream.next();
        const { eventIds = [] } = (await other?.publish(ID, statusUpdate() as never)) ?? {};
        expect((await stream.next()).data.event_id).toBe(eventIds[0]);
        await stream.leave();
      } finally {
        await Promise.all([one?.drain(), other?.close()]);
        await broker.stop();
      }
    },
  );
});

test("the snippets of the document are the files of the example", async () => {
  const file = (name: string) => Bun.file(`${root}examples/embedded/${name}`).text();
  const hono = snippetOf("docs/EMBEDDING.md", "An application on hono", "ts");
  const bun = snippetOf("docs/EMBEDDING.md", "On Bun", "ts");
  const deno = snippetOf("docs/EMBEDDING.md", "On Deno", "ts");
  for (const [snippet, name] of [
    [hono, "server.ts"],
    [bun, "bun.ts"],
    [deno, "deno.ts"],
  ] as const)
    expect(`${snippet}\n`).toBe(await file(name));
  // The commands of the readme are those that this file runs.
  const commands = snippetOf("examples/embedded/README.md", "Telltale inside an application", "sh");
  expect(commands.split("\n")).toEqual(
    RUNTIMES.filter(({ sockets }) => sockets).map(({ runtime, command }) =>
      [runtime.toLowerCase(), ...command.slice(1)].join(" "),
    ),
  );
});

test("telltale/core takes fewer than 20 lines of the example", async () => {
  const lines = (await Bun.file(`${root}examples/embedded/server.ts`).text()).split("\n");
  expect(lines.filter((line) => line.trim() !== "").length).toBeLessThan(20);
});

test("EMB-9: an import of telltale/core starts nothing that keeps a program alive", async () => {
  const child = Bun.spawn([process.execPath, "-e", 'import "telltale/core"; console.log("imported")'], {
    cwd: root,
    stdout: "pipe",
  });
  expect(await child.exited).toBe(0);
  expect(await new Response(child.stdout).text()).toBe("imported\n");
});
