import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../../src/testing/eventually.ts";
import { snippetOf } from "../support/documents.ts";
import { needs } from "../support/needs.ts";
import { statusUpdate } from "../support/publishing.ts";
import { WatchingSocket, watchUrl } from "../support/watching-socket.ts";
import { importBases, MACHINE_MOUNTS } from "./base-images.ts";
import { ComposeProject } from "./compose-project.ts";
import { type DockerEngine, dockerEngine } from "./docker-engine.ts";

const root = new URL("../..", import.meta.url).pathname;
const setUpMs = 180_000;
const testMs = 60_000;
const analysis = "4f6e3c52-7a39-4a51-9f0e-0d5c27a4b7e1";
const able = [needs("docker"), needs("docker-compose"), needs("redis-server"), needs("caddy")].every(Boolean);
const equipped = [needs("celery"), needs("ffmpeg"), needs("prometheus")].every(Boolean);

/** Grafana has no package that a machine without a registry of images could take it from. */
const services = ["proxy", "gateway-1", "gateway-2", "redis", "worker", "prometheus"];

// In order: each test goes on where the one before it left the containers.
describe.skipIf(!able || !equipped)("the deployment of compose.yaml", () => {
  let docker: DockerEngine;
  let project: ComposeProject;
  let address = "";
  let ca = "";
  let alice = "";
  const image = `telltale-test-${process.pid}`;
  const watchers: WatchingSocket[] = [];

  beforeAll(async () => {
    docker = await dockerEngine();
    const bases = await importBases(docker, root);
    const chosen = ["--build-arg", `BUILD_BASE=${bases.build}`, "--build-arg", `BASE=${bases.run}`];
    await docker.run(["build", "--network=none", "--tag", image, ...chosen, root]);

    // Healthy sooner than a user needs it, because the tests wait for that.
    const healthcheck = { interval: "1s" };
    const machine = { image: bases.machine, volumes: MACHINE_MOUNTS };
    project = await ComposeProject.prepare(docker, root, image, {
      "gateway-1": { image, healthcheck },
      "gateway-2": { image, healthcheck },
      redis: { ...machine, healthcheck },
      proxy: { ...machine, healthcheck },
      worker: { ...machine, healthcheck: { interval: "5s" } },
      prometheus: { ...machine, healthcheck, entrypoint: ["prometheus"] },
    });
    await project.compose("up", "--detach", "--no-build", ...services);
    address = await project.compose("port", "proxy", "8443");
    ca = await project.secret("tls_certificate");
  }, setUpMs);

  afterAll(async () => {
    if (docker === undefined) return;
    const faults: unknown[] = [];
    await project?.remove().catch((error: unknown) => faults.push(error));
    await docker.run(["image", "rm", "--force", image]).catch((error: unknown) => faults.push(error));
    await docker.stop();
    expect(faults).toEqual([]);
  }, setUpMs);

  const url = () => `https://localhost:${new URL(`http://${address}`).port}`;
  const ask = (path: string, init: RequestInit = {}) => fetch(url() + path, { ...init, tls: { ca } });
  const inspect = (service: string, format: string) =>
    docker.run(["inspect", "--format", format, project.container(service)]);
  const within = (service: string, ...words: readonly string[]) =>
    docker.run(["exec", project.container(service), ...words]);
  const telltale = (...words: readonly string[]) => within("gateway-1", "/telltale", ...words);
  const redis = async (...words: readonly string[]) => {
    const user = ["--user", "operator", "--pass", (await project.secret("redis_operator_password")).trim()];
    return within("redis", "redis-cli", "--no-auth-warning", ...user, ...words);
  };

  async function watch(id = analysis): Promise<WatchingSocket> {
    if (alice === "") alice = await telltale("token", "--user", "alice", "--analyses", "*");
    const watcher = new WatchingSocket(watchUrl(url(), id), {
      protocols: ["telltale.v1", `bearer.${alice}`],
      tls: { ca },
    });
    watchers.push(watcher);
    await watcher.established();
    return watcher;
  }

  test.each(services)(
    "calls its %s healthy",
    (service) => docker.event(project.container(service), "health_status: healthy"),
    testMs,
  );

  test("publishes the proxy alone, on this machine alone", async () => {
    const bindings = await Promise.all(
      services.map(async (service) => [
        service,
        JSON.parse(await inspect(service, "{{json .NetworkSettings.Ports}}")) as Record<string, unknown>,
      ]),
    );
    const published = bindings.flatMap(([service, ports]) =>
      Object.values(ports as Record<string, { HostIp: string }[] | null>).flatMap((at) =>
        (at ?? []).map(({ HostIp }) => [service, HostIp]),
      ),
    );
    expect(published).toEqual([
      ["proxy", "127.0.0.1"],
      ["proxy", "127.0.0.1"],
    ]);
  });

  test.each(services)(
    "runs its %s without rights, on a file system that nobody can write",
    async (service) => {
      const format = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}";
      expect(await inspect(service, format)).toBe("true [ALL] [no-new-privileges:true]");
      const users = await docker.run(["top", project.container(service), "-o", "pid,uid"]);
      expect(users.split("\n").slice(1)).not.toContainEqual(expect.stringMatching(/\s0$/));
    },
    testMs,
  );

  test(
    "keeps its secrets out of every environment and command",
    async () => {
      const names = [
        "jwt_secret_key",
        "redis_gateway_password",
        "redis_worker_password",
        "redis_queue_password",
      ];
      const secrets = await Promise.all(names.map(async (name) => (await project.secret(name)).trim()));
      for (const service of services) {
        const settings = await inspect(service, "{{json .Config}}");
        for (const secret of secrets) expect(settings).not.toContain(secret);
      }
    },
    testMs,
  );

  test(
    "answers through the proxy, over TLS, and keeps its metrics from the world",
    async () => {
      expect((await ask("/health")).status).toBe(200);
      expect((await ask("/ready")).status).toBe(200);
      expect((await ask("/metrics")).status).toBe(404);
    },
    testMs,
  );

  test(
    "lets nobody use Redis without a password, and Redis refuse to write rather than forget",
    async () => {
      const stranger = within("redis", "redis-cli", "publish", "analysis:1", "{}");
      expect(await stranger).toMatch(/NOAUTH|NOPERM/);
      expect(await redis("config", "get", "maxmemory")).toBe("maxmemory\n536870912");
      expect(await redis("config", "get", "maxmemory-policy")).toBe("maxmemory-policy\nnoeviction");
    },
    testMs,
  );

  test(
    "shows a watcher what is published to it over HTTP",
    async () => {
      const watcher = await watch();
      expect(watcher.protocol).toBe("telltale.v1");
      const token = await telltale("token", "--scope", "analysis:publish");
      const answer = await ask(`/v1/analyses/${analysis}/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify(statusUpdate({ message: "by HTTP" })),
      });
      expect(answer.status).toBe(202);
      const { event_ids } = (await answer.json()) as { event_ids: string[] };
      expect((await watcher.until(({ message }) => message === "by HTTP")).event_id).toBe(event_ids[0]);
    },
    testMs,
  );

  test(
    "shows a watcher what the Celery worker finds in a video, to the end, with the commands of OPERATING.md",
    async () => {
      const [forToken, ...forWorker] = snippetOf("docs/OPERATING.md", "See it work", "sh").trim().split("\n");
      const run = (line = "") => project.shell(line);
      expect(await run(forToken)).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
      const id = /worker\.enqueue (\S+)/.exec(forWorker.join("\n"))?.[1] ?? "";
      const watcher = await watch(id);
      for (const line of forWorker) await run(line);
      expect(await watcher.untilType("result_update")).toMatchObject({ analysis_id: id, total_frames: 250 });
      await watcher.until(({ current_stage }) => current_stage === "completed");
    },
    testMs,
  );

  test(
    "has a Prometheus that scrapes both gateways and knows the alerts",
    async () => {
      const query = (text: string) =>
        project.compose(
          "exec",
          "-T",
          "prometheus",
          "promtool",
          "query",
          "instant",
          "http://localhost:9090",
          text,
        );
      await eventually("both are scraped", async () => {
        const up = await query('up{job="telltale"} == 1');
        return ["gateway-1:8000", "gateway-2:8000"].every((name) => up.includes(name));
      });
      const rules = await project.compose(
        "exec",
        "-T",
        "prometheus",
        "promtool",
        "check",
        "rules",
        "/etc/prometheus/alerts.yaml",
      );
      expect(rules).toContain("SUCCESS");
    },
    testMs,
  );

  test(
    "OPS-12: has every word of the program: it starts no second gateway for one, nor for an unknown one",
    async () => {
      expect(await telltale("--help")).toStartWith("Usage: telltale [word] [options]");
      expect(await telltale("check", "--help")).toStartWith("Usage: telltale check");
      expect(await telltale("check")).toEndWith("ready          an event would be stored");
      expect(await telltale("config")).toMatch(/^NODE_ENV +production +environment$/m);
      await expect(telltale("nonsense")).rejects.toThrow("unknown command 'nonsense'");
      expect(await telltale("completion", "bash")).toContain("complete -o default -F _telltale telltale");
    },
    testMs,
  );

  test(
    "lets a gateway say goodbye to its watchers at SIGTERM and end with code 0, while the other serves on",
    async () => {
      await Promise.all(watchers.splice(0).map((watcher) => watcher.leave()));
      const closed: number[] = [];
      // The proxy spreads them over both.
      for (let n = 0; n < 4; n++) void (await watch()).closed.then(({ code }) => closed.push(code));
      await project.compose("stop", "gateway-1");
      expect(await inspect("gateway-1", "{{.State.ExitCode}}")).toBe("0");
      await eventually("its watchers are told", async () => closed.length > 0);
      expect(closed).toEqual([1001, 1001]);
      expect((await ask("/ready")).status).toBe(200);
    },
    testMs,
  );

  test(
    "passes on why no gateway is ready, and when to come back",
    async () => {
      await project.compose("pause", "redis");
      try {
        let answer = await ask("/ready");
        await eventually("the gateway that runs is not ready", async () => {
          answer = await ask("/ready");
          return answer.status === 503 && answer.headers.get("content-type")?.includes("json") === true;
        });
        expect(await answer.json()).toMatchObject({ ready: false });
      } finally {
        await project.compose("unpause", "redis");
      }
      await eventually("it is ready again", async () => (await ask("/ready")).status === 200);
    },
    testMs,
  );

  test(
    "lets the gateways say goodbye when everything stops",
    async () => {
      const { closed } = await watch();
      await project.compose("stop");
      expect((await closed).code).toBe(1001);
    },
    testMs,
  );
});
