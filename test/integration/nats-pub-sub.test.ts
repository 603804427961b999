import { describe, expect, test } from "bun:test";
import { NatsPubSub } from "../../src/adapters/nats/nats-pub-sub.ts";
import { BrokerError } from "../../src/application/errors.ts";
import { pubSubContract } from "../../src/testing/contracts/pub-sub-contract.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { emptyNatsLog, STREAM_IDS, sharedNats } from "../support/nats-under-test.ts";
import { needs } from "../support/needs.ts";
import { runningIndexRules } from "../support/running-index-rules.ts";
import { useNats } from "../support/use-nats.ts";

describe.skipIf(!needs("nats-server"))("on a NATS server", () => {
  const nats = useNats({ config: "max_payload: 8388608" });

  pubSubContract("NATS", () => emptyNatsLog(nats), {
    ...{ newerFormat: true, occurrences: false, entryIds: STREAM_IDS, endedCancels: true },
  });

  const node = () => {
    const node = new NatsPubSub({ ...sharedNats(nats), history: { size: 1_000, ttlMs: 86_400_000 } });
    nats.afterTest(() => node.close());
    return node;
  };
  runningIndexRules(async () => [node().running, node().running]);

  test("ABN-3: a full index takes no more, and goes on moving those that it has", async () => {
    const client = await nats.client();
    const settings = {
      max_msgs: 2,
      max_msgs_per_subject: 1,
      discard: "new",
      allow_direct: true,
      storage: "file",
    };
    const stream = {
      name: "TELLTALE_RUNNING",
      subjects: ["telltale.running.*"],
      num_replicas: 1,
      ...settings,
    };
    await client.request("$JS.API.STREAM.DELETE.TELLTALE_RUNNING");
    await client.request("$JS.API.STREAM.CREATE.TELLTALE_RUNNING", JSON.stringify(stream));
    nats.afterTest(async () => void (await client.request("$JS.API.STREAM.DELETE.TELLTALE_RUNNING")));
    const { running } = node();
    const [one, two, three] = [someAnalysis(), someAnalysis(), someAnalysis()];
    const taken = [];
    for (const channel of [one, two, three, one]) taken.push(await running.put({ channel, dueAt: 1_000 }));
    expect(taken).toEqual([true, true, false, true]);
    const due = async () => (await running.due(1_000, 10)).map(({ channel }) => channel).sort();
    expect(await due()).toEqual([one, two].sort());
  });

  test("ABN-3: the index is followed over restarts of the server, and after somebody removed its stream", async () => {
    const { running } = node();
    const [one, two] = [someAnalysis(), someAnalysis()];
    await running.put({ channel: one, dueAt: 1_000 });
    expect(await running.due(1_000, 10)).toEqual([{ channel: one, dueAt: 1_000 }]);
    await nats.kill9();
    await nats.restart();
    await eventually("the index is there again", () =>
      tried(async () => (await running.due(1_000, 10)).length === 1),
    );
    const client = await nats.client();
    await client.request("$JS.API.STREAM.DELETE.TELLTALE_RUNNING");
    await eventually("it takes analyses again", () =>
      tried(() => running.put({ channel: two, dueAt: 1_000 })),
    );
    await eventually("and gives them", () =>
      tried(async () => (await running.due(1_000, 10)).some(({ channel }) => channel === two)),
    );
  });
});

/** Whether it succeeded; false as long as the broker is away. */
async function tried(ask: () => Promise<boolean>): Promise<boolean> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof BrokerError) return false;
    throw error;
  }
}
