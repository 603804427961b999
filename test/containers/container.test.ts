import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { publisherToken, TEST_SECRET, tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { statusUpdate } from "../support/publishing.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";
import { importBases } from "./base-images.ts";
import { readCompose, runArguments } from "./compose-service.ts";
import { type DockerEngine, dockerEngine } from "./docker-engine.ts";

const root = new URL("../..", import.meta.url).pathname;
const setUpMs = 180_000;
const testMs = 60_000;
const analysis = "4f6e3c52-7a39-4a51-9f0e-0d5c27a4b7e1";

// In order: each test goes on where the one before it left the container.
describe.skipIf(!needs("docker") || !needs("redis-server"))("the container", () => {
  let docker: DockerEngine;
  let address = "";
  let watcher: WatchingSocket;
  const name = (part: string) => `telltale-test-${process.pid}-${part}`;

  beforeAll(async () => {
    docker = await dockerEngine();
    const bases = await importBases(docker, root);
    const chosen = ["--build-arg", `BUILD_BASE=${bases.build}`, "--build-arg", `BASE=${bases.run}`];
    await docker.run(["build", "--network=none", "--tag", name("image"), ...chosen, root]);

    const services = await readCompose(root);
    // Port 0: a free one.
    const env = { PORT: "0", JWT_SECRET_KEY: TEST_SECRET };
    const start = (service: string, image: string) =>
      docker.run([
        ...["run", "--detach", "--name", name(service)],
        ...["--network", name("network"), "--network-alias", service],
        ...runArguments(services[service] ?? {}, image, env),
      ]);
    await docker.run(["network", "create", name("network")]);
    await start("redis", bases.redis);
    await docker.event(name("redis"), "health_status: healthy");
    await start("gateway", name("image"));
    address = await docker.run(["port", name("gateway"), "8000/tcp"]);
  }, setUpMs);

  afterAll(async () => {
    if (docker === undefined) return;
    const containers = [name("gateway"), name("redis")];
    const faults: unknown[] = [];
    for (const command of [
      ["rm", "--force", "--volumes", ...containers],
      ["network", "rm", name("network")],
      ["image", "rm", "--force", name("image")],
    ]) {
      await docker.run(command).catch((error: unknown) => faults.push(error));
    }
    await docker.stop();
    expect(faults).toEqual([]);
  }, setUpMs);

  test(
    "is called healthy by Docker, which asks the binary itself",
    async () => {
      await docker.event(name("gateway"), "health_status: healthy");
    },
    testMs,
  );

  test("is published on this machine alone", () => {
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test(
    "runs as a user without rights, on a file system that nobody can write",
    async () => {
      const format =
        "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}";
      const settings = await docker.run(["inspect", "--format", format, name("gateway")]);
      expect(settings).toBe("65532:65532 true [ALL] [no-new-privileges:true]");
      expect(await docker.run(["top", name("gateway"), "-o", "pid,uid,args"])).toMatch(
        /^\d+\s+65532\s+\/telltale$/m,
      );
      expect(await docker.run(["diff", name("gateway")])).toBe("");
    },
    testMs,
  );

  test(
    "is alive, and ready with its Redis",
    async () => {
      expect((await fetch(`http://${address}/health`)).status).toBe(200);
      expect((await fetch(`http://${address}/ready`)).status).toBe(200);
    },
    testMs,
  );

  test(
    "shows a watcher what is published to it",
    async () => {
      const token = await tokenFor({ analyses: "*" });
      watcher = new WatchingSocket(watchUrl(`http://${address}`, analysis), {
        protocols: ["telltale.v1", `bearer.${token}`],
      });
      await watcher.established();
      expect(watcher.protocol).toBe("telltale.v1");
      const answer = await fetch(`http://${address}/v1/analyses/${analysis}/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${await publisherToken()}` },
        body: JSON.stringify(statusUpdate({ message: "by HTTP" })),
      });
      expect(answer.status).toBe(202);
      const { event_ids } = (await answer.json()) as { event_ids: string[] };
      const event = await watcher.until(({ message }) => message === "by HTTP");
      expect([event.event_id]).toEqual(event_ids);
      expect(event.analysis_id).toBe(analysis);
    },
    testMs,
  );

  test(
    "shows a watcher what a worker only publishes on Redis",
    async () => {
      const event = JSON.stringify(statusUpdate({ analysis_id: analysis, message: "by Redis" }));
      await docker.run(["exec", name("redis"), "redis-cli", "publish", `analysis:${analysis}`, event]);
      expect((await watcher.until(({ message }) => message === "by Redis")).event_id).toBeString();
    },
    testMs,
  );

  test(
    "says goodbye to its watchers at SIGTERM and ends with code 0",
    async () => {
      await docker.run(["stop", name("gateway")]);
      expect((await watcher.closed).code).toBe(1001);
      expect(await docker.run(["inspect", "--format", "{{.State.ExitCode}}", name("gateway")])).toBe("0");
    },
    testMs,
  );
});
