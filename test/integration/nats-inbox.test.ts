import { describe, expect, test } from "bun:test";
import { BrokerUnavailable } from "../../src/application/errors.ts";
import type { InboxPort } from "../../src/application/ports/inbox-port.ts";
import { inboxContract } from "../../src/testing/testing.ts";
import { emptyNatsInbox, LARGE_MESSAGES } from "../support/nats-under-test.ts";
import { needs } from "../support/needs.ts";
import { useNats } from "../support/use-nats.ts";

describe.skipIf(!needs("nats-server"))("the inbox on NATS", () => {
  const nats = useNats(LARGE_MESSAGES);

  inboxContract("NATS", () => emptyNatsInbox(nats), { fields: false, channels: true });

  async function inboxOfFour() {
    const broker = await emptyNatsInbox(nats);
    const inbox = await broker.node();
    nats.afterTest(() => inbox.close());
    const ids: string[] = [];
    for (const event of ["1", "2", "3", "4"]) ids.push(await broker.add([["event", event]]));
    return { broker, inbox, ids };
  }

  const left = async (inbox: InboxPort) => {
    const taken = await inbox.take();
    return taken.type === "batch" ? taken.entries.map(({ id }) => id) : taken.type;
  };

  test("IB-2 remove() removes exactly the entries that it is given, wherever they lie in the batch", async () => {
    const { inbox, ids } = await inboxOfFour();
    const [one = "", two = "", three = "", four = ""] = ids;
    await left(inbox);
    await inbox.remove([three]);
    expect(await left(inbox)).toEqual([one, two, four]);
    await inbox.remove([one, four]);
    expect(await left(inbox)).toEqual([two]);
    await inbox.remove([two, three]);
    expect(await left(inbox)).toEqual([]);
  });

  test("IB-2 remove() removes no entry of a stream that was made anew", async () => {
    const { inbox, ids } = await inboxOfFour();
    await left(inbox);
    const { broker, ids: anew } = await inboxOfFour();
    const other = await broker.node();
    nats.afterTest(() => other.close());
    await other.remove(ids);
    expect(await left(other)).toEqual(anew);
    expect(other.compareIds(ids[3] ?? "", anew[0] ?? "")).toBeLessThan(0);
  });

  test("IB-3 arrival() resolves at once for an entry that came before the call", async () => {
    const { inbox } = await inboxOfFour();
    await inbox.backlog();
    // An arrival that nothing announces takes a second.
    const took: number[] = [];
    while (took.length < 10 && !took.some((milliseconds) => milliseconds < 900)) {
      const began = performance.now();
      await inbox.arrival();
      took.push(performance.now() - began);
    }
    expect(Math.min(...took)).toBeLessThan(900);
  });

  test("a stream of somebody else that has the workers' subjects keeps the inbox away, and the reason says so", async () => {
    const { inbox, broker } = await inboxOfFour();
    // Its connection is made, so that it makes no stream any more.
    await inbox.backlog();
    await inbox.close();
    const client = await nats.client();
    await client.request("$JS.API.STREAM.DELETE.TELLTALE_WORKERS");
    const theirs = JSON.stringify({ name: "THEIRS", subjects: ["analysis.>"] });
    await client.request("$JS.API.STREAM.CREATE.THEIRS", theirs);
    nats.afterTest(() => client.request("$JS.API.STREAM.DELETE.THEIRS"));
    const node = await broker.node();
    nats.afterTest(() => node.close());
    const failure = await node.backlog().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BrokerUnavailable);
    expect(failure).toMatchObject({ trouble: { cause: "stream_settings" } });
    expect(String(failure)).toContain("overlap");
  });

  test("INB-2 a node that is told nothing by its broker, which was killed and came back, goes on taking", async () => {
    const { inbox, ids } = await inboxOfFour();
    await left(inbox);
    await nats.kill9();
    await nats.restart();
    await expectSoon(() => left(inbox), ids);
  });

  async function expectSoon(ask: () => Promise<unknown>, answer: unknown): Promise<void> {
    for (const until = performance.now() + 10_000; performance.now() < until; await Bun.sleep(100)) {
      try {
        expect(await ask()).toEqual(answer);
        return;
      } catch {
        // The link comes back by itself; until then everything fails.
      }
    }
    expect(await ask()).toEqual(answer);
  }
});
