import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { needs } from "../support/needs.ts";
import { importNats, importRedis } from "./base-images.ts";
import { type DockerEngine, dockerEngine } from "./docker-engine.ts";

const root = new URL("../..", import.meta.url).pathname;

/** The tests of a broker find it in a container if they are told to, or if its program is not installed. */
describe.skipIf(!needs("docker") || !needs("redis-server") || !needs("nats-server"))(
  "the brokers of the tests, in containers",
  () => {
    let docker: DockerEngine;
    let env: Record<string, string> = {};

    beforeAll(async () => {
      docker = await dockerEngine();
      env = {
        ...(docker.host !== undefined && { DOCKER_HOST: docker.host }),
        // The container that would clean up comes from a registry. These tests remove their own.
        TESTCONTAINERS_RYUK_DISABLED: "true",
        // The engine of these tests has no default network, and this may be a container itself.
        TESTCONTAINERS_HOST_OVERRIDE: "127.0.0.1",
        TELLTALE_TEST_REDIS: "container",
        TELLTALE_TEST_REDIS_IMAGE: await importRedis(docker),
        TELLTALE_TEST_NATS: "container",
        TELLTALE_TEST_NATS_IMAGE: await importNats(docker),
      };
    }, 180_000);
    afterAll(async () => {
      const images = [env.TELLTALE_TEST_REDIS_IMAGE, env.TELLTALE_TEST_NATS_IMAGE];
      const ours = images.map((image) => `--filter=ancestor=${image}`);
      const left = await docker.run(["ps", "--all", "--quiet", ...ours]);
      // A run that ran out of time leaves them, and the networks of an engine outlive it.
      if (left !== "") await docker.run(["rm", "--force", "--volumes", ...left.split("\n")]);
      await docker.run(["network", "prune", "--force", "--filter=label=org.testcontainers=true"]);
      await docker.stop();
      expect(left).toBe("");
    }, 60_000);

    test.each([
      ["Redis", "test/integration/redis-dead-letters.test.ts"],
      ["NATS", "test/integration/nats-dead-letters.test.ts"],
      ["NATS, killed and restored", "test/integration/nats-restarts.test.ts"],
    ])(
      "%s passes the same tests as a program of this machine",
      async (_, file) => {
        const child = Bun.spawn([process.execPath, "test", "--timeout=15000", "--bail", file], {
          cwd: root,
          env: { ...process.env, ...env },
          stdin: "ignore",
          stdout: "ignore",
          stderr: "pipe",
        });
        const said = await new Response(child.stderr).text();
        expect(await child.exited, said).toBe(0);
        expect(said).toMatch(/^ [1-9]\d* pass$/m);
      },
      120_000,
    );
  },
);
