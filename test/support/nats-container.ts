import { dirname } from "node:path";
import { GenericContainer, getContainerRuntimeClient, Network, Wait } from "testcontainers";
import type { NatsProcess } from "./nats-server.ts";

/**
 * Starts a NATS in a container, for machines without `nats-server`. Its image is TELLTALE_TEST_NATS_IMAGE. The folder of
 * the configuration file is mounted at its own place, so that the server keeps its streams there.
 */
export async function startNatsContainer(port: number, configurationFile: string): Promise<NatsProcess> {
  const folder = dirname(configurationFile);
  // A network of its own, because an engine need not have a default one.
  const network = await new Network().start();
  const container = await new GenericContainer(process.env.TELLTALE_TEST_NATS_IMAGE ?? "nats:2")
    .withNetwork(network)
    .withBindMounts([{ source: folder, target: folder }])
    .withCommand(["nats-server", "-c", configurationFile])
    // A fixed port, so that clients find it again after a restart.
    .withExposedPorts({ container: port, host: port })
    // The usual wait for a port runs a shell in the container, and the image has none.
    .withWaitStrategy(Wait.forLogMessage("Server is ready"))
    .start();
  const { container: engine } = await getContainerRuntimeClient();
  const running = engine.getById(container.getId());
  const exited = Promise.withResolvers<number>();
  const failed = (error: unknown) => exited.reject(error);
  const end = async (signal: string) => {
    await running.kill({ signal });
    const { StatusCode } = (await running.wait()) as { StatusCode: number };
    await running.remove({ force: true, v: true });
    await network.stop();
    exited.resolve(StatusCode);
  };
  return {
    pid: undefined,
    exited: exited.promise,
    kill(signal) {
      const isEnd = signal === "SIGKILL" || signal === "SIGTERM";
      (isEnd ? end(signal) : running.kill({ signal })).catch(failed);
    },
  };
}
