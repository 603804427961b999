import { headers, type NatsConnection } from "@nats-io/transport-node";
import { BrokerError, reasonOf } from "../../application/errors.ts";
import type { BrokerPart, BrokerSelfCheck, PartFinding } from "../../application/ports/broker-self-check.ts";
import { assertTakesMessages } from "./event-streams.ts";
import { answerOf, callApi } from "./nats-api.ts";
import { connectTo, flushed, type NatsTarget, requestsOn, serverOf } from "./nats-connection.ts";
import { DEAD_LETTER_STREAM } from "./nats-dead-letters.ts";
import { isRefusal, JetStreamRefusal, REFUSED, readFailure, troubleOf } from "./nats-errors.ts";
import { findStream, type WantedStream } from "./nats-streams.ts";
import {
  EVENTS,
  LEASE_SUBJECT,
  liveSubjects,
  RECORDS,
  STATE,
  subjectsOf,
  TAKEN_SUBJECT,
} from "./subjects.ts";
import { ARRIVALS, type WorkerKind, workersStream } from "./worker-subjects.ts";

/** No stream gets so many messages: one that expects it to be the last is refused, and a removal of it finds nothing. */
const NEVER = 2 ** 52;

/** `BrokerSelfCheck` on NATS: it sends to every subject that a gateway needs what the server refuses or has no use for. */
export class NatsSelfCheck implements BrokerSelfCheck {
  readonly servers: readonly string[];
  readonly parts: readonly BrokerPart[];
  readonly #target: NatsTarget;
  #connection: Promise<NatsConnection> | undefined;
  /** A channel that nobody has. */
  readonly #channel = `analysis:${crypto.randomUUID()}`;

  constructor(target: NatsTarget, listen: readonly WorkerKind[]) {
    this.servers = target.servers;
    this.#target = target;
    const workers = workersStream(listen);
    const streams = [EVENTS, STATE, workers, RECORDS, DEAD_LETTER_STREAM];
    const { events } = subjectsOf(this.#channel);
    this.parts = [
      ...streams.map((wanted) => ({ name: wanted.name, try: () => this.#stream(wanted) })),
      this.#part("max_payload", "every message of a gateway fits", [
        async () => assertTakesMessages(serverOf(await this.#connected)),
      ]),
      this.#part("append", "events can be stored", [
        () => this.#refusedAt(events),
        () => this.#api(`STREAM.PURGE.${EVENTS.name}`, { filter: events, seq: 1 }),
        () => this.#refusedAt(`telltale.state.heard.${crypto.randomUUID()}`),
      ]),
      this.#part("history", "events can be read", [
        () => this.#asked(`$JS.API.DIRECT.GET.${EVENTS.name}`, { last_by_subj: events }),
        () => this.#api(`STREAM.MSG.GET.${EVENTS.name}`, { last_by_subj: events }, REFUSED.noMessageFound),
        () => this.#reader(EVENTS.name, events),
      ]),
      this.#part("subscribe", "events can be heard", [() => this.#hears(liveSubjects(this.#channel))]),
      this.#part("inbox", "messages of workers can be taken and removed", [
        () => this.#reader(workers.name),
        () => this.#hears(ARRIVALS),
        () => this.#asked(`$JS.API.DIRECT.GET.${STATE.name}`, { last_by_subj: LEASE_SUBJECT }),
        () => this.#refusedAt(LEASE_SUBJECT),
        () => this.#refusedAt(TAKEN_SUBJECT),
        () => this.#api(`STREAM.MSG.GET.${RECORDS.name}`, { seq: NEVER }, REFUSED.noMessageFound),
        () => this.#api(`STREAM.MSG.GET.${workers.name}`, { seq: NEVER }, REFUSED.noMessageFound),
        // Without a filter the purge would take messages with it.
        () => this.#api(`STREAM.PURGE.${workers.name}`, { filter: this.#channel.replace(":", "."), seq: 1 }),
        () => this.#removes(workers.name),
      ]),
      this.#part("dead letters", "they can be kept, read and removed", [
        () => this.#refusedAt(DEAD_LETTER_STREAM.subjects[0] ?? ""),
        () => this.#asked(`$JS.API.DIRECT.GET.${DEAD_LETTER_STREAM.name}`, { seq: NEVER }),
        () => this.#reader(DEAD_LETTER_STREAM.name),
        () => this.#removes(DEAD_LETTER_STREAM.name),
      ]),
    ];
  }

  async version(): Promise<string | undefined> {
    try {
      return serverOf(await this.#connected).version;
    } catch (error) {
      throw readFailure(error);
    }
  }

  async close(): Promise<void> {
    const [connected] = await Promise.allSettled([this.#connection]);
    if (connected.status === "fulfilled") await connected.value?.close();
  }

  /** One attempt for all that ask. */
  get #connected(): Promise<NatsConnection> {
    this.#connection ??= connectTo(this.#target, "check");
    return this.#connection;
  }

  /** Looks at the stream, and makes none. */
  async #stream(wanted: WantedStream): Promise<PartFinding> {
    try {
      const connection = await this.#connected;
      const { keptIn, replicas } = await findStream(requestsOn(connection), wanted, serverOf(connection));
      const servers = `${replicas} ${replicas === 1 ? "server" : "servers"}`;
      return { works: true, detail: `on ${keptIn}, on ${servers}, with the settings that a gateway needs` };
    } catch (error) {
      if (isRefusal(error, REFUSED.streamNotFound)) {
        return {
          works: false,
          reason: "the stream is not there, and could not be made",
          hint: `allow the gateway's user to publish on $JS.API.STREAM.CREATE.${wanted.name}, or make the stream`,
        };
      }
      if (error instanceof BrokerError && error.trouble.cause === "stream_settings") {
        return {
          works: false,
          reason: error.message,
          hint: `change it: nats stream edit ${wanted.name}`,
        };
      }
      return findingOf(error);
    }
  }

  #part(name: string, detail: string, tries: readonly (() => Promise<unknown>)[]): BrokerPart {
    return {
      name,
      try: async () => {
        const lacked = new Set<string>();
        for (const attempt of tries) {
          try {
            await attempt();
          } catch (error) {
            const { cause, permission } = troubleOf(error);
            if (cause !== "permission") return findingOf(error);
            lacked.add(permission ?? "unknown");
          }
        }
        return lacked.size === 0 ? { works: true, detail } : lacks([...lacked]);
      },
    };
  }

  async #asked(subject: string, question: object): Promise<void> {
    await requestsOn(await this.#connected).request(subject, JSON.stringify(question));
  }

  /** Calls JetStream; `refusals` are the numbers of those that are as good as an answer. */
  async #api(call: string, question: object, ...refusals: number[]): Promise<void> {
    try {
      await callApi(requestsOn(await this.#connected), call, question);
    } catch (error) {
      if (!(error instanceof JetStreamRefusal) || !refusals.includes(error.number)) throw error;
    }
  }

  /** Removes a message that is not there. Streams in files and in memory answer with numbers of their own. */
  async #removes(stream: string): Promise<void> {
    const { deleteFailed, sequenceNotFound } = REFUSED;
    await this.#api(`STREAM.MSG.DELETE.${stream}`, { seq: NEVER }, deleteFailed, sequenceNotFound);
  }

  /** Publishes a message that the stream of the subject refuses for its place alone. */
  async #refusedAt(subject: string): Promise<void> {
    const head = headers();
    head.set("Nats-Expected-Last-Subject-Sequence", `${NEVER}`);
    const answer = await requestsOn(await this.#connected).request(subject, "", { headers: head });
    try {
      answerOf(answer.data);
    } catch (error) {
      if (!isRefusal(error, REFUSED.wrongLastSequence)) throw error;
    }
  }

  /** Makes a reader that acknowledges nothing, asks it for a message, and takes it away. */
  async #reader(stream: string, subject?: string): Promise<void> {
    const requests = requestsOn(await this.#connected);
    const { name } = await callApi<{ readonly name: string }>(requests, `CONSUMER.CREATE.${stream}`, {
      stream_name: stream,
      config: {
        ack_policy: "none",
        deliver_policy: "all",
        ...(subject !== undefined && { filter_subject: subject }),
        headers_only: true,
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: READER_GONE_NS,
      },
    });
    // No message is so small, so JetStream answers in its own words whether there is one or not.
    await this.#asked(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, {
      batch: 1,
      max_bytes: 1,
      no_wait: true,
    });
    await this.#api(`CONSUMER.DELETE.${stream}.${name}`, {});
  }

  async #hears(subject: string): Promise<void> {
    const connection = await this.#connected;
    const refusals: Error[] = [];
    const heard = connection.subscribe(subject, {
      callback: (error) => {
        if (error !== null) refusals.push(error);
      },
    });
    await flushed(connection);
    heard.unsubscribe();
    const [refusal] = refusals;
    if (refusal !== undefined) throw refusal;
  }
}

const HINT_OF_SIZE = "raise max_payload in the server's configuration";
const READER_GONE_NS = 5_000_000_000;

function findingOf(error: unknown): PartFinding {
  const { cause, permission } = troubleOf(error);
  if (cause === "permission") return lacks([permission ?? "unknown"]);
  if (cause === "message_size") return { works: false, reason: reasonOf(error), hint: HINT_OF_SIZE };
  if (error instanceof JetStreamRefusal) return { works: false, reason: reasonOf(error), hint: "" };
  throw readFailure(error);
}

function lacks(missing: readonly string[]): PartFinding {
  return {
    works: false,
    reason: `the gateway's user lacks a permission: ${missing.join(", ")}`,
    hint: "allow publish on telltale.> and $JS.API.> and allow_responses, and subscribe on _INBOX.>, telltale.live.>, telltale.arrived.> and telltale.heartbeat.*",
  };
}
