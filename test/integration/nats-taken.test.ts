import { describe, expect, test } from "bun:test";
import { TAKEN_SUBJECT } from "../../src/adapters/nats/subjects.ts";
import type { InboxPort } from "../../src/application/ports/inbox-port.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { emptyNatsInbox, natsInbox } from "../support/nats-under-test.ts";
import { needs } from "../support/needs.ts";
import { NatsWorker } from "../support/staged-nats.ts";
import { useNats } from "../support/use-nats.ts";

const KILLS = 6;

describe.skipIf(!needs("nats-server"))("how far the inbox on NATS was taken", () => {
  const nats = useNats();

  function openInbox(): InboxPort {
    const inbox = natsInbox(nats);
    nats.afterTest(() => inbox.close());
    return inbox;
  }

  /** An inbox of four entries. */
  async function filled() {
    const broker = await emptyNatsInbox(nats);
    const ids: string[] = [];
    for (const event of ["1", "2", "3", "4"]) ids.push(await broker.add([["event", event]]));
    return { broker, ids };
  }

  async function takeAll(inbox: InboxPort): Promise<readonly string[]> {
    const taken = await inbox.take();
    if (taken.type !== "batch") return [taken.type];
    return taken.entries.map(({ id }) => id);
  }

  test("IB-2 a node that starts later takes nothing of what another one removed", async () => {
    const { ids } = await filled();
    const first = openInbox();
    expect(await takeAll(first)).toEqual(ids);
    await first.remove(ids);
    await first.release();
    const second = openInbox();
    expect(await second.backlog()).toEqual({ entries: 0, oldest: undefined });
    expect(await takeAll(second)).toEqual([]);
  });

  test("IB-7 backlog() counts what other nodes left", async () => {
    const { ids } = await filled();
    const [first, second] = [openInbox(), openInbox()];
    expect(await takeAll(first)).toEqual(ids);
    expect((await second.backlog()).entries).toBe(4);
    await first.remove(ids.slice(0, 3));
    const { entries, oldest } = await second.backlog();
    expect(entries).toBe(1);
    expect(oldest?.id).toBe(ids[3] ?? "");
  });

  test("IB-1 a position on messages that the stream lost, and whose sequences it gave again, counts for nothing", async () => {
    const { ids } = await filled();
    const first = openInbox();
    await takeAll(first);
    await first.remove(ids.slice(0, 2));
    await first.release();
    const client = await nats.client();
    const [creation] = ids[0]?.split("-") ?? [];
    await client.request(TAKEN_SUBJECT, `${creation} 4 12345`);
    expect((await takeAll(openInbox())).slice(-2)).toEqual(ids.slice(2));
  });

  test("IB-1 a position after the end of the stream counts for nothing", async () => {
    const { ids } = await filled();
    const client = await nats.client();
    const [creation] = ids[0]?.split("-") ?? [];
    await client.request(TAKEN_SUBJECT, `${creation} 400 12345`);
    expect(await takeAll(openInbox())).toEqual(ids);
  });

  test("IB-1 a stream that others made anew gives its entries under its own ids", async () => {
    const { ids } = await filled();
    const inbox = openInbox();
    expect(await takeAll(inbox)).toEqual(ids);
    await inbox.remove(ids);
    const { ids: anew } = await filled();
    await eventually("the node takes from the new stream", async () => {
      const taken = await takeAll(inbox).catch(() => []);
      if (taken.length === 4) expect(taken).toEqual(anew);
      return taken.length === 4;
    });
  });

  test("IB-2 remove() leaves the entries of a stream that others made anew after it took", async () => {
    const { ids } = await filled();
    const inbox = openInbox();
    expect(await takeAll(inbox)).toEqual(ids);
    const { ids: anew } = await filled();
    await inbox.remove(ids);
    expect(await takeAll(openInbox())).toEqual(anew);
  });

  test("IB-2 remove() leaves the entries that have the sequences of those that the stream lost", async () => {
    const { broker, ids } = await filled();
    await nats.saveStore();
    const lost = [await broker.add([["event", "5"]]), await broker.add([["event", "6"]])];
    const inbox = openInbox();
    expect(await takeAll(inbox)).toEqual([...ids, ...lost]);
    await nats.restoreStore();
    const anew = [await broker.add([["event", "7"]]), await broker.add([["event", "8"]])];
    await eventually("the node is connected again", () =>
      inbox.remove(lost).then(
        () => true,
        () => false,
      ),
    );
    expect(await takeAll(openInbox())).toEqual([...ids, ...anew]);
  });

  test("IB-1 a server that is killed again and again loses no message that it acknowledged", async () => {
    await emptyNatsInbox(nats);
    const inbox = openInbox();
    const worker = new NatsWorker([nats.address]);
    nats.afterTest(() => worker.close());
    const acknowledged = new Set<string>();
    const seen = new Map<string, string>();
    const numberedAgain: string[] = [];
    let state: "running" | "stopping" = "running";
    const publishing = [1, 2, 3].map(async (publisher) => {
      for (let number = 0; state === "running"; number++) {
        const text = `${publisher}.${number}`;
        if ((await worker.publish("inbox", "", text)) === "taken") acknowledged.add(text);
        else await Bun.sleep(10);
      }
    });
    const takeOn = async () => {
      const taken = await inbox.take();
      if (taken.type !== "batch") return Bun.sleep(taken.againMs);
      for (const entry of taken.entries) {
        const text = entry.type === "event" ? entry.event : entry.fault;
        if ((seen.get(entry.id) ?? text) !== text) numberedAgain.push(entry.id);
        seen.set(entry.id, text);
      }
      await inbox.remove(taken.entries.map(({ id }) => id));
    };
    const taking = (async () => {
      // While the server is away, taking fails.
      while (state === "running") await takeOn().catch(() => Bun.sleep(20));
    })();
    for (let kill = 0; kill < KILLS; kill++) {
      const before = seen.size;
      await eventually("entries are taken", async () => seen.size > before + 5);
      await nats.kill9();
      await nats.restart();
    }
    state = "stopping";
    await Promise.all([...publishing, taking]);
    await eventually("the inbox is empty", async () => {
      try {
        await takeOn();
        return (await inbox.backlog()).entries === 0;
      } catch {
        // The connection comes back by itself.
        return false;
      }
    });
    const taken = new Set(seen.values());
    expect([...acknowledged].filter((text) => !taken.has(text))).toEqual([]);
    expect(numberedAgain).toEqual([]);
  }, 60_000);
});
