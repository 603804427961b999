import { MinimalDeadLetters } from "../../examples/minimal-broker/src/dead-letters.ts";
import { MinimalEvents } from "../../examples/minimal-broker/src/events.ts";
import { Store } from "../../examples/minimal-broker/src/store.ts";
import type { BrokerPorts } from "../../src/application/ports/broker-ports.ts";
import type { DeadLetterPort, KeptDeadLetter } from "../../src/application/ports/dead-letter-port.ts";
import { brokerContract, CollectingTelemetry, ManualClock } from "../../src/testing/testing.ts";

/** Brokers that declare `durability:memory`, and harm the dead letters that they keep whenever their last node closes. */
const BROKERS: Readonly<Record<string, (store: KeptStore) => void>> = {
  "a careful broker": () => {},
  "a broker that forgets all": (store) => store.deadLetters.clear(),
  "a broker that forgets the newest": (store) => {
    for (const { kept } of store.deadLetters.values()) kept.pop();
  },
  "a broker that keeps them twice": (store) => {
    for (const { kept } of store.deadLetters.values())
      kept.push(...kept.map((one) => ({ ...one, id: store.nextId() })));
  },
  "a broker that has removed ones again": (store) => {
    for (const one of store.removed) store.deadLettersOf("foreign").kept.push(one);
  },
  "a broker that forgets which it had": (store) => store.deadLettersSeen.clear(),
  "a broker that numbers them anew": (store) => {
    const all = [...store.deadLetters.values()].flatMap(({ kept }) => kept);
    all.sort((one, other) => Number(one.id) - Number(other.id));
    store.replace((one) => ({ ...one, id: `${all.indexOf(one) + 1}` }));
  },
  "a broker that gives an id again": (store) => {
    store.ids = Math.max(0, ...store.all().map(({ id }) => Number(id)));
  },
  "a broker that forgets their order": (store) => {
    store.replace((one) => ({ ...one, id: `${10_000 - Number(one.id)}` }));
  },
  "a broker that forgets when they came": (store) => {
    store.replace((one) => ({ ...one, at: new Date(1).toISOString() }));
  },
  "a broker that forgets the reason": (store) => store.replace((one) => ({ ...one, reason: "invalid" })),
};

/** The names of all but the careful one. */
export const SLOPPY = Object.keys(BROKERS).slice(1);

/** The store of one broker, which outlives its nodes: that of the smallest adapter, with the dead letters that were removed. */
class KeptStore extends Store {
  readonly removed: KeptDeadLetter[] = [];
  ids = 0;

  override nextId(): string {
    return `${++this.ids}`;
  }

  all(): KeptDeadLetter[] {
    return [...this.deadLetters.values()].flatMap(({ kept }) => kept);
  }

  replace(change: (one: KeptDeadLetter) => KeptDeadLetter): void {
    for (const of of this.deadLetters.values()) of.kept.splice(0, Infinity, ...of.kept.map(change));
  }
}

// A test has the suites run on all of them in a process of its own, since most of them fail.
for (const [name, harm] of process.env.TELLTALE_SLOPPY ? Object.entries(BROKERS) : [])
  brokerContract(
    name,
    async () => {
      const [store, clock, telemetry] = [new KeptStore(), new ManualClock(), new CollectingTelemetry()];
      const open = new Set<BrokerPorts>();
      return {
        node: ({ size = 1_000, ttlMs = 86_400_000 } = {}) => {
          const events = new MinimalEvents({ store, clock, telemetry, history: { size, ttlMs } });
          Object.assign(events, { durability: { keptIn: "memory", replicas: 0 } });
          const ports = { events, deadLetters: new RecordedRemovals({ store, clock }, close) };
          open.add(ports);
          function close() {
            if (open.delete(ports) && open.size === 0) harm(store);
          }
          return ports;
        },
        elapse: async (milliseconds) => clock.advance(milliseconds),
        loseEverything: async () => store.loseEverything(),
        close: async () => {},
      };
    },
    { capabilities: ["dead_letters", "durability:memory", "replicas:0"] },
  );

/** The dead letters of the smallest adapter, noting what is removed. */
class RecordedRemovals extends MinimalDeadLetters implements DeadLetterPort {
  readonly #store: KeptStore;
  readonly #closed: () => void;

  constructor(options: { readonly store: KeptStore; readonly clock: ManualClock }, closed: () => void) {
    super(options);
    this.#store = options.store;
    this.#closed = closed;
  }

  override async remove(id: string): Promise<boolean> {
    const one = await this.find(id);
    if (one !== undefined) this.#store.removed.push(one);
    return super.remove(id);
  }

  override async close(): Promise<void> {
    this.#closed();
  }
}
