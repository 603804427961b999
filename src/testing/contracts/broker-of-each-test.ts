import { afterEach, beforeEach } from "bun:test";

interface Closing {
  close(): Promise<void>;
}

/** Opens a broker for each test of a suite, and closes it after its nodes. To be called inside the suite's `describe`. */
export function brokerOfEachTest<Broker extends Closing>(open: () => Promise<Broker>) {
  let broker: Broker | undefined;
  let nodes: Closing[] = [];

  beforeEach(async () => {
    broker = await open();
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    nodes = [];
    await broker?.close();
  });

  return {
    /** The broker of the running test. */
    broker(): Broker {
      if (broker === undefined) throw new Error("no test is running");
      return broker;
    },
    /** Has the node closed after the test. */
    closing<Node extends Closing>(node: Node): Node {
      nodes.push(node);
      return node;
    },
  };
}
