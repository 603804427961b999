import { needs } from "../support/needs.ts";
import { clusterOrdersWriters } from "../support/orders-writers.ts";
import type { Mutant } from "./mutants.ts";

const MESSAGE = "src/adapters/nats/channel-message.ts";
const HEAD = "src/adapters/nats/channel-head.ts";
const ENTRY_IDS = "src/adapters/nats/entry-ids.ts";
const PLAN = "src/adapters/nats/plan-append.ts";
const APPENDS = "src/adapters/nats/channel-appends.ts";
const IN_TIME = "src/adapters/nats/publish-in-time.ts";
const HISTORY = "src/adapters/nats/channel-history.ts";
const TRIM = "src/adapters/nats/trim-channel.ts";
const MODEL = ["test/model/nats-model.test.ts"];
const LOST = ["test/unit/adapters/nats/lost-messages.test.ts"];
const LATE = {
  killers: ["test/integration/nats-deadlines.test.ts"],
  needs: "nats-server" as const,
};
const ordersWriters = needs("nats-server") && clusterOrdersWriters();

/** Mutants of the event log on NATS. */
export const NATS_MUTANTS: readonly Mutant[] = [
  {
    name: "NATS: stays on its line of history after an outage of the cluster",
    file: "src/adapters/nats/nats-pub-sub.ts",
    find: "wasInDoubt ? this.#lineage.renew(this.#link)",
    replace: 'wasInDoubt && this.#lineage.name === "" ? this.#lineage.renew(this.#link)',
    killers: ["test/integration/nats-cluster.test.ts"],
    needs: "nats-server",
    test: "PS-27 another lineage",
  },
  {
    name: "NATS: follows no line of history that another gateway began",
    file: "src/adapters/nats/cluster-lineage.ts",
    find: "if (kept !== undefined) this.#name = kept.text;",
    replace: "if (kept !== undefined) this.#name ||= kept.text;",
    killers: ["test/integration/nats-cluster.test.ts"],
    needs: "nats-server",
    test: "PS-27 every node gives the same lineage",
  },
  {
    name: "reads void and forgotten messages as history",
    file: HISTORY,
    find: "last && last.sequence > previous;",
    replace: "last && last.sequence > previous && previous < 0;",
    killers: ["test/unit/adapters/nats/channel-history.test.ts"],
  },
  {
    name: "reads a history again from the server that lacked events",
    file: HISTORY,
    find: "fromLeader: readBefore > 0",
    replace: "fromLeader: readBefore < 0",
    killers: ["test/unit/adapters/nats/channel-history.test.ts"],
  },
  {
    name: "NATS: begins a history after its first hole",
    file: HISTORY,
    find: "this.#links.at(-1)?.sequence === previous",
    replace: "previous > 0",
    killers: LOST,
  },
  {
    name: "NATS: takes a lost message for one that was trimmed",
    file: HISTORY,
    find: "lacked.offset >= state.oldestKept",
    replace: "lacked.offset < state.oldestKept",
    killers: LOST,
  },
  {
    name: "NATS: forgets the hole that it found",
    file: "src/adapters/nats/known-holes.ts",
    find: "known?.birth === course.birth",
    replace: "known?.birth === course.lineage",
    killers: LOST,
  },
  {
    name: "NATS: forgets the channel below a forged message",
    file: HEAD,
    find: "if (!isOurs(text)) return messageBefore(stream, subject, sequence);",
    replace: "if (!isOurs(text)) return undefined;",
    killers: LOST,
  },
  {
    name: "NATS: warns of the wrong clusters",
    file: "src/adapters/nats/rival-messages.ts",
    find: "bothWereTaken: taken.length > 1",
    // An older cluster takes both messages or, by chance, one; each break shows for certain on one kind of cluster.
    replace: `bothWereTaken: taken.length > ${ordersWriters ? 0 : 2}`,
    killers: ["test/integration/nats-cluster.test.ts"],
    needs: "nats-server",
    test: "health() warns only of a cluster",
  },
  {
    name: "counts a message that was stored after its deadline",
    file: MESSAGE,
    find: "|| at >= deadlineOf(text);",
    replace: "|| (at < 0 && deadlineOf(text) > 0);",
    killers: MODEL,
  },
  {
    name: "counts a message that was stored at its very deadline",
    file: MESSAGE,
    find: "|| at >= deadlineOf(text);",
    replace: "|| at > deadlineOf(text);",
    killers: MODEL,
  },
  {
    name: "builds on a void message",
    file: HEAD,
    find: "while (message !== undefined && isVoid(message)) {",
    replace: "while (message !== undefined && isVoid(message) && message.at < 0) {",
    killers: MODEL,
  },
  {
    name: "takes a channel whose last message is void for a new one",
    file: HEAD,
    find: "message = await messageFollowedBy(stream, message);",
    replace: "message = undefined;",
    killers: MODEL,
  },
  {
    name: "goes on in the epoch of a server that ended",
    file: PLAN,
    find: "kept === undefined || kept.course.lineage !== head.lineage;",
    replace: "kept === undefined;",
    killers: MODEL,
  },
  {
    name: "forgets a change of the course",
    file: PLAN,
    find: "const changed = kept === undefined || isOther(course, kept.course);",
    replace: "const changed = kept === undefined;",
    killers: MODEL,
  },
  {
    name: "keeps one event fewer than it promises on NATS",
    file: PLAN,
    find: "taken.oldestKept = offset - size + 1;",
    replace: "taken.oldestKept = offset - size + 2;",
    killers: MODEL,
  },
  {
    name: "stores an inbox entry again that it stored last on NATS",
    file: ENTRY_IDS,
    find: "comparePlaces(entry, partsOfEntry(furthest)) <= 0 &&",
    replace: "comparePlaces(entry, partsOfEntry(furthest)) < 0 &&",
    killers: MODEL,
  },
  {
    name: "takes an entry of NATS for a repeat that has the sequence of a lost one",
    file: ENTRY_IDS,
    find: " && !isLater(entry, partsOfEntry(latest));",
    replace: " && latest.length > 0;",
    killers: MODEL,
  },
  {
    name: "stores an inbox entry of NATS again that was stored before others were lost",
    file: ENTRY_IDS,
    find: "comparePlaces(entry, partsOfEntry(marks.furthest)) >= 0 ? id : marks.furthest",
    replace: "id",
    killers: ["test/unit/adapters/nats/entry-ids.test.ts"],
  },
  {
    name: "stores an inbox entry of NATS again after the clock was set back",
    file: ENTRY_IDS,
    find: "latest.nanoseconds === undefined || isLater(entry, latest) ? id : marks.latest",
    replace: "id",
    killers: MODEL,
  },
  {
    name: "forgets the epoch of the event just before the oldest kept",
    file: PLAN,
    find: "all.findLastIndex(({ firstOffset }) => firstOffset <= oldestKept - 1)",
    replace: "all.findLastIndex(({ firstOffset }) => firstOffset <= oldestKept) + 1",
    killers: MODEL,
  },
  {
    name: "refers to the first event of a message instead of its last status",
    file: PLAN,
    find: "{ sequence: 0, index: event.position.offset - first };",
    replace: "{ sequence: 0, index: 0 };",
    killers: MODEL,
  },
  {
    name: "answers that a void message is the first request of its key",
    file: APPENDS,
    find: "if (message === undefined || isVoid(message)) return undefined;",
    replace: "if (message === undefined) return undefined;",
    ...LATE,
    test: "PS-9 PS-30 a key whose message came too late",
  },
  {
    name: "sends a request without its key",
    file: APPENDS,
    find: "const id = key && this.#idOf(key, plan.birth, earlier.at(-1));",
    replace:
      "const id = key && earlier.length > 9 ? this.#idOf(key, plan.birth, earlier.at(-1)) : undefined;",
    killers: MODEL,
  },
  {
    name: "NATS: names no key whose message has another id",
    file: PLAN,
    find: "if (renamed === undefined) return before;",
    replace: "if (renamed === undefined || now > 0) return before;",
    killers: ["test/unit/adapters/nats/keys-used-anew.test.ts"],
  },
  {
    name: "NATS: finds a key that is used anew by the stream alone",
    file: APPENDS,
    find: "if (renamed !== undefined) return { outcomes: [renamed] };",
    replace: "if (renamed !== undefined && earlier.length > 99) return { outcomes: [renamed] };",
    killers: ["test/unit/adapters/nats/keys-used-anew.test.ts"],
  },
  {
    name: "answers that a message is stored which came after its deadline",
    file: IN_TIME,
    find: 'if (answer.type !== "stored" || answer.isInTime) return answer;',
    replace: "if (answer !== undefined) return answer;",
    killers: MODEL,
  },
  {
    name: "says that nothing was stored if it cannot be read when",
    file: IN_TIME,
    find: "throw new OutcomeUnknown(`NATS does",
    replace: "throw new BrokerUnavailable(`NATS does",
    killers: ["test/unit/adapters/nats/late-answers.test.ts"],
  },
  {
    name: "trims what the channel still refers to, and copies nothing",
    file: TRIM,
    find: "if (sequence === undefined || sequence >= cut) continue;",
    replace: "if (sequence === undefined || sequence < cut || sequence >= cut) continue;",
    killers: MODEL,
  },
  {
    name: "trims messages whose key may come again",
    file: TRIM,
    find: "first <= kept.state.oldestKept && at < old;",
    replace: "first <= kept.state.oldestKept && at < old + keysKnownMs;",
    killers: ["test/unit/adapters/nats/trim-channel.test.ts"],
  },
  {
    name: "trims the oldest event that a history keeps",
    file: TRIM,
    find: "=> first <= kept.state.oldestKept && at",
    replace: "=> first <= kept.state.oldestKept + 3 && at",
    killers: MODEL,
  },
  {
    name: "removes the viewers of a channel that lives",
    file: "src/adapters/nats/sweep-expired.ts",
    find: "if (last !== undefined && !hasExpired(last.at, ttlMs + GRACE_MS, stream.now())) continue;",
    replace: "",
    killers: ["test/unit/adapters/nats/sweep-expired.test.ts"],
  },
  {
    name: "calls an outcome unknown while NATS may still store it",
    file: "src/adapters/nats/nats-event-stream.ts",
    find: "if (failure instanceof OutcomeUnknown) await this.#pause(giveUpAt - this.#clock.stopwatch());",
    replace: "",
    ...LATE,
    test: "PS-30 an append whose connection broke is told only",
  },
  {
    name: "delivers a late message without asking whether it is void",
    file: "src/adapters/nats/nats-subscriptions.ts",
    find: "const isInTime = brokerClock.isKnown && brokerClock.atMost() < deadline;",
    replace: "const isInTime = brokerClock.isKnown || deadline > 0;",
    ...LATE,
  },
  {
    name: "NATS: stores the request of a capability that it lacks, each time it comes",
    file: "src/adapters/nats/nats-pub-sub.ts",
    find: 'request.deduplicate?.by === "occurrence"',
    replace: "request.events.length === 0",
    killers: ["test/integration/broker-bundles.test.ts"],
    needs: "nats-server",
  },
];
