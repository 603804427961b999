import { expect, test } from "bun:test";
import { type BrokerPorts, closeBroker } from "../../application/ports/broker-ports.ts";
import type { DeadLetter, DeadLetterPort, KeptDeadLetter } from "../../application/ports/dead-letter-port.ts";
import type { DeduplicationKey } from "../../application/ports/deduplication-key.ts";
import { INBOX } from "../../application/ports/inbox-port.ts";
import type { AppendOutcome } from "../../application/ports/pub-sub-port.ts";
import { result, status } from "../encoded-events.ts";
import { eventually } from "../eventually.ts";
import { someAnalysis } from "../some-analysis.ts";
import { type BrokerUnderTest, type DeclaredBroker, given } from "./broker-under-test.ts";
import { firstEntry } from "./inbox-under-test.ts";

interface RestartRuleContext {
  readonly broker: () => BrokerUnderTest;
  readonly node: () => Promise<BrokerPorts>;
  readonly declared: DeclaredBroker;
}

const RESTART_MS = 30_000;

/** The rule BND-5: what an adapter keeps that declares to keep it. */
export function restartRules({ broker, node, declared }: RestartRuleContext): void {
  const has = (capability: string) => declared.capabilities.includes(capability);
  const outlives = test.skipIf(has("durability:process"));

  /** Another node, after these were closed and the broker was restarted, if it keeps its data on disk. */
  async function restarted(...nodes: readonly BrokerPorts[]): Promise<BrokerPorts> {
    await Promise.all(nodes.map(closeBroker));
    if (has("durability:disk")) await given("restart", broker().restart)();
    const after = await node();
    await eventually("the broker answers", async () => answers(after));
    return after;
  }

  outlives(
    "BND-5 all that was acknowledged outlives the nodes, and the broker's process if it is kept on disk",
    async () => {
      const before = await node();
      const channel = someAnalysis();
      const request = { channel, events: [status(), result()], deduplicate: requestKey("k") };
      const stored = await before.events.append(request);
      expect(stored).toMatchObject({ type: "stored", firstOffset: 1, count: 2 });
      await before.events.declareViewers(channel, new Set(["alice"]));
      if (has("inbox")) await given("add", broker().add)([["event", "{}"]]);
      const shown = await shownBy(before, channel);

      const after = await restarted(before);
      expect(await shownBy(after, channel)).toEqual(shown);
      const again = await after.events.append(request);
      expect(again).toEqual({ ...stored, type: "duplicate" } as AppendOutcome);
      if (has("inbox")) expect(await firstEntry(given("inbox", after.inbox))).toMatchObject({ event: "{}" });
    },
    RESTART_MS,
  );

  const invalid = { channel: "analysis:x", payload: "{", reason: "not_json" };
  /** A name of its own: some brokers recognise the names of what was there before they were emptied. */
  const entry = () => ({
    channel: INBOX,
    payload: "[]",
    reason: "invalid: no object",
    name: crypto.randomUUID(),
  });
  const others = ["user:alice", "system:updates", "analysis:y"].map((channel) => ({ ...invalid, channel }));

  outlives(
    "BND-5 dead letters outlive both, with their ids, in their order, and one that was removed stays away",
    async () => {
      const before = await node();
      await keepInTurn(before.deadLetters, [invalid, entry(), ...others]);
      const [, , removed, ...rest] = await keptBy(before.deadLetters);
      const last = given("dead letter", rest.at(-1));
      for (const one of [given("dead letter", removed), last]) await before.deadLetters.remove(one.id);
      const all = await keptBy(before.deadLetters);
      expect(all).toHaveLength(3);

      const { deadLetters, ...ports } = await restarted(before);
      expect(await keptBy(deadLetters)).toEqual(all);
      expect(await keptBy(deadLetters, "newest")).toEqual([...all].reverse());
      for (const one of all) expect(await deadLetters.find(one.id)).toEqual(one);
      expect(await deadLetters.remove(last.id)).toBe(false);
      expect(await deadLetters.remove(all[0]?.id ?? "")).toBe(true);

      const afterwards = await restarted({ deadLetters, ...ports });
      expect(await keptBy(afterwards.deadLetters)).toEqual(all.slice(1));
    },
    RESTART_MS,
  );

  outlives(
    "BND-5 a dead letter that is reported again after it is kept once, and the next one has an id of its own",
    async () => {
      const [before, named] = [await node(), entry()];
      await keepInTurn(before.deadLetters, [invalid, named, ...others]);
      const all = await keptBy(before.deadLetters);
      await before.deadLetters.remove(all.at(-1)?.id ?? "");

      const after = await restarted(before);
      await keepInTurn(after.deadLetters, [{ ...named, payload: "{}", windowMs: 1 }, invalid]);
      expect(await keptBy(after.deadLetters)).toEqual(all.slice(0, -1));
      await after.deadLetters.keep({ ...invalid, payload: "the next" });
      const next = (await keptBy(after.deadLetters)).at(-1);
      expect(next).toMatchObject({ payload: "the next" });
      expect(all.map(({ id }) => id)).not.toContain(next?.id ?? "");
    },
    RESTART_MS,
  );
}

/** Everything that a node shows of a channel, without the broker's time. */
async function shownBy({ events }: BrokerPorts, channel: ReturnType<typeof someAnalysis>) {
  const { brokerNow: _, ...snapshot } = await events.snapshot(channel);
  return { snapshot, history: await events.history(channel, undefined, 10) };
}

/** One after the other, so that they have an order. */
async function keepInTurn(node: DeadLetterPort, deadLetters: readonly DeadLetter[]): Promise<void> {
  for (const one of deadLetters) await node.keep(one);
}

async function keptBy(node: DeadLetterPort, from: "oldest" | "newest" = "oldest"): Promise<KeptDeadLetter[]> {
  return Array.fromAsync(node.read(from));
}

async function answers({ events }: BrokerPorts): Promise<boolean> {
  try {
    await events.snapshot(someAnalysis());
    return events.health().status === "up";
  } catch {
    return false;
  }
}

function requestKey(name: string): DeduplicationKey {
  return { by: "key", name, scope: "channel", windowMs: 300_000, rememberMs: 300_000 };
}
