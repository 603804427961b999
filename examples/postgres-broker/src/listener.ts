import type { Sql } from "postgres";
import { type OutageLog, reasonOf } from "telltale/adapter";
import {
  type BrokerTrouble,
  BrokerUnavailable,
  type ClockPort,
  type Durability,
  NewerFormat,
  type TelemetryPort,
} from "telltale/ports";
import { connect, endNow } from "./connection.ts";
import type { Database } from "./database.ts";
import { troubleOf } from "./failures.ts";
import { decode, encode, type Notification } from "./notifications.ts";
import type { Settings } from "./settings.ts";

interface ListenerOptions {
  readonly settings: Settings;
  /** Where its probes are sent from: another connection than the one that listens. */
  readonly reading: Database;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly outages: OutageLog;
}

export interface Hearing {
  heard(notification: Notification): void;
  /** The link is whole, or whole again: anything may have been missed before. */
  restored(): void;
}

type State =
  | { readonly type: "idle" }
  | { readonly type: "connecting"; readonly trouble: BrokerTrouble }
  | { readonly type: "listening" }
  | { readonly type: "closed" };

/** The name of its troubles in the log of outages. */
const SOURCE = "listening";
const PROBE_MS = 1_000;
/** A probe that is not heard within this time means a stalled subscription, in milliseconds. */
const HEARD_MS = 3_000;
const PAUSE_MS = 200;

/**
 * The one connection of a gateway that listens. It hears everything, in the order of the commits. A probe goes through
 * PostgreSQL every second, so a connection that hears nothing any more is noticed and made anew.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #hearing = new Set<Hearing>();
  readonly #probes = new Map<string, Probe>();
  #gathered: Probe | undefined;
  #state: State = { type: "idle" };
  #sql: Sql | undefined;
  #durability: Durability = { keptIn: undefined, replicas: undefined };
  #cancel = () => {};

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Why nothing is heard; undefined if the last probe was. Connects at the first call. */
  get trouble(): BrokerTrouble | undefined {
    this.#start();
    if (this.#state.type === "listening") return undefined;
    return this.#state.type === "connecting" ? this.#state.trouble : { cause: "closed" };
  }

  /** How long PostgreSQL keeps what it acknowledged, by its own settings, as of the last probe. */
  get durability(): Durability {
    return this.#durability;
  }

  /** Passes on all that is heard from now on, until the returned function is called. */
  add(hearing: Hearing): () => void {
    this.#start();
    this.#hearing.add(hearing);
    return () => this.#hearing.delete(hearing);
  }

  /**
   * Calls `then` at a place in the order of the commits: all that was committed before the call has been heard, and what is
   * committed after it has resolved will be. Rejects with `BrokerUnavailable`.
   */
  async mark(then: () => void): Promise<void> {
    const { trouble } = this;
    if (trouble !== undefined) throw new BrokerUnavailable("nothing is heard", { trouble });
    this.#gathered ??= this.#probeSoon();
    this.#gathered.thens.push(then);
    await this.#gathered.heard.promise;
  }

  close(): void {
    this.#state = { type: "closed" };
    this.#cancel();
    this.#options.outages.forget(SOURCE);
    if (this.#sql !== undefined) endNow(this.#sql, this.#options.telemetry);
    this.#failProbes({ cause: "closed" });
  }

  #start(): void {
    if (this.#state.type !== "idle") return;
    this.#state = { type: "connecting", trouble: { cause: "connecting" } };
    this.#connect();
  }

  #connect(): void {
    if (this.#state.type === "closed") return;
    const { settings } = this.#options;
    const onnotify = (_: string, payload: string) => {
      if (this.#sql === sql) this.#heard(payload);
    };
    const onclose = () => this.#lost(sql, new Error("the connection was closed"));
    const sql: Sql = connect(settings, "telltale listening", { ...({ onnotify } as object), onclose });
    this.#sql = sql;
    this.#listen(sql).catch((error: unknown) => this.#lost(sql, error));
  }

  /** It counts as listening once it has heard itself. */
  async #listen(sql: Sql): Promise<void> {
    await sql.unsafe(`listen ${this.#options.settings.schema}`);
    const probe = this.#probeSoon();
    await probe.heard.promise;
    if (this.#sql !== sql || this.#state.type === "closed") return;
    this.#state = { type: "listening" };
    this.#options.outages.clear(SOURCE);
    for (const hearing of [...this.#hearing]) hearing.restored();
    this.#cancel = this.#options.clock.after(PROBE_MS, () => this.#probeAgain(sql));
  }

  #probeAgain(sql: Sql): void {
    const next = () => {
      if (this.#sql === sql) this.#cancel = this.#options.clock.after(PROBE_MS, () => this.#probeAgain(sql));
    };
    this.#probeSoon().heard.promise.then(next, (error: unknown) => this.#lost(sql, error));
  }

  /** Sends a probe in a moment, so that all who ask in one turn share it. */
  #probeSoon(): Probe {
    const { clock } = this.#options;
    const probe: Probe = { name: crypto.randomUUID(), thens: [], heard: Promise.withResolvers() };
    this.#probes.set(probe.name, probe);
    const fail = (error: unknown) => {
      this.#probes.delete(probe.name);
      probe.heard.reject(error);
    };
    const cancel = clock.after(HEARD_MS, () =>
      fail(new BrokerUnavailable("a probe was not heard", { trouble: { cause: "deaf" } })),
    );
    probe.heard.promise.then(cancel, cancel);
    queueMicrotask(() => {
      if (this.#gathered === probe) this.#gathered = undefined;
      this.#send(probe.name).catch(fail);
    });
    return probe;
  }

  async #send(name: string): Promise<void> {
    const { reading } = this.#options;
    const [server] = await reading.read(
      (sql) => sql<{ fsync: string; standbys: string }[]>`
        select current_setting('fsync') as fsync, current_setting('synchronous_standby_names') as standbys,
          pg_notify(${reading.schema}, ${encode({ type: "probe", name })})`,
    );
    if (server === undefined) return;
    // `ANY 2 (…)` and `FIRST 2 (…)` wait for two; a plain list waits for one.
    const standbys = server.standbys === "" ? "0" : (/\d+(?= *\()/.exec(server.standbys)?.[0] ?? "1");
    this.#durability = { keptIn: server.fsync === "on" ? "disk" : "memory", replicas: Number(standbys) };
  }

  #heard(payload: string): void {
    const notification = decode(payload);
    if (notification?.type === "probe") {
      const probe = this.#probes.get(notification.name);
      this.#probes.delete(notification.name);
      for (const then of probe?.thens ?? []) then();
      probe?.heard.resolve();
    } else if (notification !== undefined) {
      for (const hearing of [...this.#hearing]) hearing.heard(notification);
    }
  }

  #lost(sql: Sql, error: unknown): void {
    if (this.#sql !== sql || this.#state.type === "closed") return;
    const trouble = troubleIn(error);
    this.#options.outages.report(SOURCE, trouble, reasonOf(error));
    this.#sql = undefined;
    this.#state = { type: "connecting", trouble };
    endNow(sql, this.#options.telemetry);
    this.#failProbes(trouble);
    this.#cancel();
    this.#cancel = this.#options.clock.after(PAUSE_MS, () => this.#connect());
  }

  #failProbes(trouble: BrokerTrouble): void {
    const probes = [...this.#probes.values()];
    this.#probes.clear();
    for (const { heard } of probes) heard.reject(new BrokerUnavailable("nothing is heard", { trouble }));
  }
}

interface Probe {
  readonly name: string;
  readonly thens: (() => void)[];
  readonly heard: PromiseWithResolvers<void>;
}

function troubleIn(error: unknown): BrokerTrouble {
  const isOurs = error instanceof BrokerUnavailable || error instanceof NewerFormat;
  return isOurs ? error.trouble : troubleOf(error);
}
