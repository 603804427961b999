import { describe, expect, test } from "bun:test";
import { PerPrimary } from "../../../../src/adapters/redis/per-primary.ts";
import type { RedisPrimary, SlotOwners } from "../../../../src/adapters/redis/slot-owners.ts";
import { BrokerUnavailable } from "../../../../src/application/errors.ts";

describe("PerPrimary", () => {
  test("opens one for each primary, and closes those whose primary owns nothing any more", () => {
    const owners = new HandDrivenOwners("a", "b");
    const opened: Opened[] = [];
    const each = new PerPrimary(owners, ({ name }) => open(name, opened));
    owners.become("b", "c");
    expect(each.all.map(({ name }) => name)).toEqual(["b", "c"]);
    expect(opened.map(({ name, closed }) => ({ name, closed }))).toEqual([
      { name: "a", closed: true },
      { name: "b", closed: false },
      { name: "c", closed: false },
    ]);
    each.close();
    expect(opened.every(({ closed }) => closed)).toBe(true);
  });

  test("closes one whose primary owns nothing any more only when the calls under way have ended", () => {
    const owners = new HandDrivenOwners("a", "b");
    const opened: Opened[] = [];
    const tasks: (() => void)[] = [];
    const later = (task: () => void) => void tasks.push(task);
    const each = new PerPrimary(owners, ({ name }) => open(name, opened), { later });
    owners.become("b");
    expect([each.all.length, opened[0]?.closed]).toEqual([1, false]);
    for (const task of tasks) task();
    expect(opened.map(({ closed }) => closed)).toEqual([true, false]);
  });

  test("follows a slot that has moved, once, to the server that is named", async () => {
    const owners = new HandDrivenOwners("a", "b");
    const each = new PerPrimary(owners, ({ name }) => open(name, []));
    const called: string[] = [];
    const answer = each.at("key", async ({ name }) => {
      called.push(name);
      if (name === "a") throw refusal("MOVED 7 b:1");
      return "stored";
    });
    expect(await answer).toBe("stored");
    expect(called).toEqual(["a", "b"]);
    const again = each.at("key", async ({ name }) => {
      called.push(name);
      throw refusal(`MOVED 7 ${name === "a" ? "b" : "a"}:1`);
    });
    expect(await again.catch((error) => error)).toBeInstanceOf(BrokerUnavailable);
    expect(called).toEqual(["a", "b", "b", "a"]);
  });

  test.each([
    "ASK 7 b:1",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "CLUSTERDOWN Hash slot not served",
  ])("passes a refusal on: %s", async (reply) => {
    const each = new PerPrimary(new HandDrivenOwners("a", "b"), ({ name }) => open(name, []));
    const failure = refusal(reply);
    const called: string[] = [];
    const answer = each.at("key", async ({ name }) => {
      called.push(name);
      throw failure;
    });
    expect(await answer.catch((error) => error)).toBe(failure);
    expect(called).toEqual(["a"]);
  });

  test("refuses a call if nobody is known to own the slot", async () => {
    const owners = new HandDrivenOwners();
    const each = new PerPrimary(owners, ({ name }) => open(name, []));
    const answer = each.at("key", async () => "stored");
    expect(await answer.catch((error) => error)).toMatchObject({
      code: "broker_unavailable",
      trouble: { cause: "cluster" },
    });
  });
});

interface Opened {
  readonly name: string;
  closed: boolean;
  close(): void;
}

function open(name: string, opened: Opened[]): Opened {
  const made = {
    name,
    closed: false,
    close() {
      made.closed = true;
    },
  };
  opened.push(made);
  return made;
}

function refusal(message: string): BrokerUnavailable {
  const reply = new Error(message);
  reply.name = "ReplyError";
  return new BrokerUnavailable("refused", { cause: reply });
}

/** All slots belong to the first of the named primaries, or to the one that a server referred to. */
class HandDrivenOwners implements SlotOwners {
  readonly started = Promise.resolve();
  readonly trouble = undefined;
  primaries: readonly RedisPrimary[];
  #owner: RedisPrimary | undefined;
  #listener = () => {};

  constructor(...names: readonly string[]) {
    this.primaries = names.map(primary);
    this.#owner = this.primaries[0];
  }

  become(...names: readonly string[]): void {
    this.primaries = names.map(
      (name) => this.primaries.find((known) => known.name === name) ?? primary(name),
    );
    this.#owner = this.primaries[0];
    this.#listener();
  }

  ownerOf(): RedisPrimary | undefined {
    return this.#owner;
  }

  onChange(listener: () => void): () => void {
    this.#listener = listener;
    return () => {};
  }

  lookAgain(): void {}

  moved(_slot: number, { host }: { readonly host: string }): void {
    this.#owner = this.primaries.find(({ name }) => name === host);
  }

  close(): void {}
}

function primary(name: string): RedisPrimary {
  return { name, target: { host: name, port: 1, db: 0 }, ownChannels: "sharded", slots: [[0, 16_383]] };
}
