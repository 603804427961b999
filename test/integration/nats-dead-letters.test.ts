import { describe, expect, test } from "bun:test";
import { deadLetterContract } from "../../src/testing/testing.ts";
import { emptyNatsDeadLetters } from "../support/nats-under-test.ts";
import { needs } from "../support/needs.ts";
import { useNats } from "../support/use-nats.ts";

describe.skipIf(!needs("nats-server"))("the dead letters on NATS", () => {
  const nats = useNats();

  deadLetterContract("NATS", () => emptyNatsDeadLetters(nats));

  test("DLP-2 keep() does not keep a dead letter again that an operator dropped, if its entry is taken again", async () => {
    const node = await (await emptyNatsDeadLetters(nats)).node();
    nats.afterTest(() => node.close());
    const deadLetter = {
      channel: "analysis:x",
      payload: "{",
      reason: "not_json",
      name: "telltale:inbox 1-1",
    };
    await node.keep(deadLetter);
    for await (const { id } of node.read("oldest")) await node.remove(id);
    await node.keep(deadLetter);
    expect(await Array.fromAsync(node.read("oldest"))).toEqual([]);
  });
});
