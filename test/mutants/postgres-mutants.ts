import type { Mutant } from "./mutants.ts";

const FOLDER = "examples/postgres-broker/src";
const JUDGE = { file: `${FOLDER}/judge.ts`, killers: ["test/unit/postgres-broker/judge.test.ts"] };
const NOTIFICATIONS = {
  file: `${FOLDER}/notifications.ts`,
  killers: ["test/unit/postgres-broker/notifications.test.ts"],
};
const SURPLUS = { file: `${FOLDER}/surplus.ts`, killers: ["test/unit/postgres-broker/surplus.test.ts"] };
const TRIALS = { file: `${FOLDER}/trials.ts`, killers: ["test/unit/postgres-broker/trials.test.ts"] };
const CONNECTIONS = {
  killers: ["test/integration/postgres-connections.test.ts"],
  needs: "postgres" as const,
};
const OUTBOX = { killers: ["test/integration/postgres-outbox.test.ts"], needs: "postgres" as const };

/** Mutants of the adapter on PostgreSQL. */
export const POSTGRES_MUTANTS: readonly Mutant[] = [
  {
    ...CONNECTIONS,
    file: `${FOLDER}/database.ts`,
    name: "gives up a connection to PostgreSQL that one append could not wait for",
    find: "        this.#putBack(made);\n",
    replace: '        made.end(new Error("late"));\n',
  },
  {
    ...CONNECTIONS,
    file: `${FOLDER}/connection.ts`,
    name: "waits for the lock of the schema on each connection to PostgreSQL",
    find: "if (!isThere) await makeSchema",
    replace: "await makeSchema",
  },
  {
    ...JUDGE,
    name: "stores an entry of the outbox again that it stored last",
    find: "compareIds(key.id, last.id) <= 0",
    replace: "compareIds(key.id, last.id) < 0",
  },
  {
    ...JUDGE,
    name: "compares ids of the outbox as numbers",
    find: "[BigInt(one), BigInt(other)]",
    replace: "[Number(one), Number(other)]",
  },
  {
    ...JUDGE,
    name: "goes on in the epoch of a PostgreSQL that ended",
    find: "if (record.lineage === lineage) return",
    replace: 'if (record.lineage === lineage || record.lineage !== "") return',
  },
  {
    ...JUDGE,
    name: "begins an epoch on PostgreSQL for a request that is refused",
    find: "      began.undo();\n",
    replace: "",
  },
  {
    ...JUDGE,
    name: "finds a key on PostgreSQL outside its window",
    find: " || now - found.at > key.windowMs) return undefined;",
    replace: ") return undefined;",
  },
  {
    ...JUDGE,
    name: "finds a key on PostgreSQL that is forgotten",
    find: "now >= found.until || ",
    replace: "",
  },
  {
    ...JUDGE,
    name: "misses a key on PostgreSQL at the end of its window",
    find: "now - found.at > key.windowMs",
    replace: "now - found.at >= key.windowMs",
  },
  {
    ...JUDGE,
    name: "stores a request twice that comes twice in one call to PostgreSQL",
    find: "seen.set(",
    replace: "void (",
  },
  {
    ...JUDGE,
    name: "takes the key of a notice for one of its channel on PostgreSQL",
    find: 'return scope === "notices" ? "notices" : channel;',
    replace: 'return scope === "notices" ? channel : channel;',
  },
  {
    ...JUDGE,
    name: "keeps one event fewer than it promises on PostgreSQL",
    find: "record.oldest = record.offset - size + 1;",
    replace: "record.oldest = record.offset - size + 2;",
  },
  {
    ...JUDGE,
    name: "forgets the epoch of the position before the oldest event on PostgreSQL",
    find: "const needed = record.oldest - 1;",
    replace: "const needed = record.oldest;",
  },
  {
    ...NOTIFICATIONS,
    name: "measures a notification in characters",
    find: "if (utf8Length(carried) <= MOST_BYTES) return carried;",
    replace: "if (carried.length <= MOST_BYTES) return carried;",
  },
  {
    ...NOTIFICATIONS,
    name: "sends a notification of the most bytes without its event",
    find: "if (utf8Length(carried) <= MOST_BYTES) return carried;",
    replace: "if (utf8Length(carried) < MOST_BYTES) return carried;",
  },
  {
    ...NOTIFICATIONS,
    name: "reads the name of a channel in a notification up to its last colon",
    find: "const end = colon + 1 + Number(text.slice(0, colon));",
    replace: 'const end = text.indexOf(":", text.indexOf(":", colon + 1) + 1);',
  },
  {
    ...NOTIFICATIONS,
    name: "forgets in a notification that an event reopens",
    find: 'reopens: payload[2] === "1"',
    replace: "reopens: payload[2] === undefined",
  },
  {
    ...SURPLUS,
    name: "drops the newest dead letters on PostgreSQL",
    find: "largest.waiting[largest.next++]",
    replace: "largest.waiting.pop()",
  },
  {
    ...SURPLUS,
    name: "drops dead letters on PostgreSQL of the kind that has the fewest",
    find: "(kind[measure] > most[measure] ? kind : most)",
    replace: "(kind[measure] < most[measure] ? kind : most)",
  },
  {
    ...TRIALS,
    name: "says that PostgreSQL stores events before it stored one",
    find: '#trouble: BrokerTrouble | undefined = { cause: "connecting" };',
    replace: "#trouble: BrokerTrouble | undefined;",
  },
  {
    ...TRIALS,
    name: "calls PostgreSQL unusable for one append that was late",
    find: "if (isSure) this.#fails(trouble, detail);",
    replace: "this.#fails(trouble, isSure ? detail : detail);",
  },
  {
    ...OUTBOX,
    name: "adds to the outbox without holding the channel",
    file: `${FOLDER}/schema.ts`,
    find: "perform pg_advisory_xact_lock(hashtextextended('telltale outbox ' || lock_name, 0));",
    replace: "perform 1;",
  },
  {
    ...OUTBOX,
    name: "says that nothing was stored while the commit is under way",
    file: `${FOLDER}/lost-answers.ts`,
    find: "> until) throw unknown(cause);",
    replace: "> until) throw unavailable(cause);",
  },
  {
    ...OUTBOX,
    name: "does not answer with the outcomes that PostgreSQL kept",
    file: `${FOLDER}/lost-answers.ts`,
    find: 'if (typeof outcomes === "string") return JSON.parse(outcomes);',
    replace: "",
  },
  {
    ...OUTBOX,
    name: "gives a call up that PostgreSQL has stored",
    file: `${FOLDER}/lost-answers.ts`,
    find: "on conflict do nothing returning id",
    replace: "on conflict (id) do update set at = 0 returning id",
  },
];
