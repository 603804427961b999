import type { Mutant } from "./mutants.ts";

const INBOX = {
  file: "src/adapters/nats/nats-inbox.ts",
  killers: ["test/integration/nats-inbox.test.ts"],
  needs: "nats-server",
} as const;
const TAKEN = { ...INBOX, killers: ["test/integration/nats-taken.test.ts"] } as const;
const LEASE = { ...INBOX, file: "src/adapters/nats/inbox-lease.ts" } as const;
const DEAD_LETTERS = {
  file: "src/adapters/nats/nats-dead-letters.ts",
  killers: ["test/integration/nats-dead-letters.test.ts"],
  needs: "nats-server",
} as const;
const ROOM = { ...DEAD_LETTERS, file: "src/adapters/nats/dead-letter-room.ts" } as const;

/** The inbox and the dead letters on NATS, broken at their heart. */
export const NATS_WORKER_MUTANTS: readonly Mutant[] = [
  {
    name: "NATS: removes the entry after those that were ingested",
    find: "this.#position = sequence;",
    replace: "this.#position = sequence + 1;",
    ...INBOX,
    test: "BUD-9 a batch holds at most 4 MiB",
  },
  {
    name: "NATS: takes the newest entry that was removed again",
    find: "from: this.#position + 1,",
    replace: "from: this.#position,",
    ...INBOX,
    test: "BUD-9 a batch holds at most 4 MiB",
  },
  {
    name: "NATS: notices no stream of workers that was made anew",
    find: "if (creation === this.#creation && creation === found) return;",
    replace: "if (creation === this.#creation) return;",
    ...TAKEN,
    test: "IB-1 a stream that others made anew gives its entries",
  },
  {
    name: "NATS: forgets what another node removed",
    find: "if (of !== creation) return 0;",
    replace: "if (of !== creation || kept !== undefined) return 0;",
    ...TAKEN,
    file: "src/adapters/nats/taken-position.ts",
  },
  {
    name: "NATS: takes a message for another one that had its sequence before",
    find: "return taken?.at === Number(at) ? Number(sequence) : 0;",
    replace: "return taken === undefined ? 0 : Number(sequence);",
    ...TAKEN,
    file: "src/adapters/nats/taken-position.ts",
  },
  {
    name: "NATS: takes a position for good whose message is gone",
    find: "return taken?.at === Number(at) ? Number(sequence) : 0;",
    replace: "return taken === undefined || taken.at === Number(at) ? Number(sequence) : 0;",
    ...TAKEN,
    file: "src/adapters/nats/taken-position.ts",
  },
  {
    name: "NATS: removes entries that have the sequences of those it took",
    find: "return found?.at === at;",
    replace: "return found !== undefined && at > 0;",
    ...TAKEN,
  },
  {
    name: "NATS: removes entries that were not ingested",
    find: "kept === -1 ? this.#taken : this.#taken.slice(0, kept)",
    replace: "this.#taken",
    ...INBOX,
    test: "IB-2 remove() removes exactly the entries",
  },
  {
    name: "NATS: takes a batch of any size",
    find: "fill(messages, INBOX_BATCH, ({ data }) => data.length)",
    replace: "messages",
    ...INBOX,
    test: "IB-5 take() gives a batch of many entries",
  },
  {
    name: "NATS: sees no arrival that came before it waited",
    find: "if (messages === 0) await arrived.promise;",
    replace: "if (messages >= 0) await arrived.promise;",
    ...INBOX,
    test: "IB-3 arrival() resolves at once",
  },
  {
    name: "NATS: names a user by the first part of it",
    file: "src/adapters/nats/worker-subjects.ts",
    find: 'subject.replace(".", ":")',
    replace: 'subject.split(".", 2).join(":")',
    killers: ["test/integration/nats-inbox.test.ts"],
    needs: "nats-server",
    test: "IB-9 an entry says which channel",
  },
  {
    name: "NATS: takes from the inbox beside another node",
    find: "if (left > 0) return Math.min(ASK_AGAIN_MS, Math.ceil(left));",
    replace: "if (left > LEASE_MS) return ASK_AGAIN_MS;",
    ...LEASE,
    test: "IB-6 while one node takes the others wait",
  },
  {
    name: "NATS: never takes over from a node that died",
    find: "if (this.#other?.sequence !== sequence)",
    replace: "if (sequence > 0)",
    ...LEASE,
    test: "IB-6 while one node takes the others wait",
  },
  {
    name: "NATS: keeps the lease that was released",
    find: 'await this.#replace(own.sequence, "released");',
    replace: 'await this.#replace(own.sequence, "held");',
    ...LEASE,
    test: "IB-6 while one node takes the others wait",
  },
  {
    name: "NATS: recognises a dead letter by its content for an hour",
    find: "windowMs >= REMEMBERED_MS || (await this.#isWithin(windowMs, seq))",
    replace: "windowMs >= 0",
    ...DEAD_LETTERS,
  },
  {
    name: "NATS: forgets a dead letter's name after a minute",
    find: "windowMs >= REMEMBERED_MS || (",
    replace: "(",
    ...DEAD_LETTERS,
    test: "DLP-2 keep() does not keep a dead letter again that an operator dropped",
  },
  {
    name: "NATS: drops the oldest dead letter of any kind",
    find: "one.kind === largest && !out.has(one)",
    replace: "!out.has(one)",
    ...ROOM,
    test: "BUD-7 however many dead letters",
  },
  {
    name: "NATS: keeps dead letters without end",
    find: "if (messages <= DEAD_LETTERS.items && bytes <= DEAD_LETTERS.bytes) return;",
    replace: "if (messages >= 0) return;",
    ...ROOM,
  },
];
