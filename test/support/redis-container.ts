import { GenericContainer, Network, Wait } from "testcontainers";
import { type RunningRedis, untilRedisAnswers } from "./redis-server.ts";

/** Starts a Redis in a container, for machines without `redis-server`. Its image is TELLTALE_TEST_REDIS_IMAGE. */
export async function startRedisContainer(port: number, args: readonly string[]): Promise<RunningRedis> {
  // A network of its own, because an engine need not have a default one.
  const network = await new Network().start();
  const container = await new GenericContainer(process.env.TELLTALE_TEST_REDIS_IMAGE ?? "redis:7")
    .withNetwork(network)
    .withCommand(["redis-server", "--protected-mode", "no", ...args])
    // A fixed port, so that clients find it again after a restart.
    .withExposedPorts({ container: 6379, host: port })
    .withWaitStrategy(Wait.forLogMessage("Ready to accept connections"))
    .start();
  const stopped = () => container.stop({ timeout: 0, remove: false });
  return {
    url: `redis://127.0.0.1:${port}`,
    host: "127.0.0.1",
    port,
    pid: undefined,
    stop: async () => {
      await container.stop();
      await network.stop();
    },
    kill9: async () => void (await stopped()),
    restart: async () => {
      await container.restart();
      await untilRedisAnswers(port);
    },
  };
}
