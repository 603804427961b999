import type { Hono } from "hono";
import type { ClientScript } from "../../../../src/adapters/http/client-script-routes.ts";
import { gatewayApp } from "../../../../src/adapters/http/gateway-app.ts";
import type { Exposition } from "../../../../src/adapters/http/metrics-routes.ts";
import { InMemoryInbox } from "../../../../src/adapters/memory/in-memory-inbox.ts";
import { type AccessPolicy, ClaimsAndViewers } from "../../../../src/application/access-policy.ts";
import { BroadcastEvent } from "../../../../src/application/broadcast-event.ts";
import type { BrokerTrouble } from "../../../../src/application/broker-trouble.ts";
import { CancelAnalysis } from "../../../../src/application/cancel-analysis.ts";
import { DeclareViewers } from "../../../../src/application/declare-viewers.ts";
import { ExpireStaleConnections } from "../../../../src/application/expire-stale-connections.ts";
import { FairQueue } from "../../../../src/application/fair-queue.ts";
import { DeliveryMeters } from "../../../../src/application/fan-out/delivery-meter.ts";
import { FeedRegistry } from "../../../../src/application/fan-out/feed-registry.ts";
import { OpenConnections } from "../../../../src/application/open-connections.ts";
import { ReadAnalysis } from "../../../../src/application/read-analysis.ts";
import { ReadEvents } from "../../../../src/application/read-events.ts";
import { Refusals } from "../../../../src/application/refusals.ts";
import { SendHeartbeats } from "../../../../src/application/send-heartbeats.ts";
import { SubscribeToAnalysis } from "../../../../src/application/subscribe-to-analysis.ts";
import { WatchInbox } from "../../../../src/application/watch-inbox.ts";
import { WatchRequestLimit } from "../../../../src/application/watch-request-limit.ts";
import { analysisIdOf, type ChannelName } from "../../../../src/domain/channel.ts";
import { ConnectionRegistry } from "../../../../src/domain/connection-registry.ts";
import { EVENT_RULES, type EventRules } from "../../../../src/domain/event-rules.ts";
import type { OriginPolicy } from "../../../../src/session/origin-policy.ts";
import type { SessionServices } from "../../../../src/session/session-services.ts";
import { someAnalysis } from "../../../../src/testing/some-analysis.ts";
import { KnownTokens } from "../../../support/known-tokens.ts";
import { memoryNode } from "../../../support/memory-node.ts";
import { turn } from "../../../support/turn.ts";
import { wholeHistory } from "../../../support/whole-history.ts";

export interface AskOptions {
  readonly method?: string;
  /** `null`: none at all. */
  readonly token?: string | null;
  /** Text and bytes go as they are, everything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

export interface BenchOptions {
  readonly rules?: EventRules;
  readonly watchDefault?: "allow" | "deny";
  readonly clientScript?: ClientScript;
  readonly exposition?: Exposition;
  /** In place of the rule of the wire contract. */
  readonly access?: AccessPolicy;
  readonly maxConnections?: number;
  readonly maxPerUser?: number;
  /** The most bytes of a request that the broker takes, if they are fewer than 1 MiB. */
  readonly mostBytes?: number;
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
  readonly issues?: readonly { readonly path: readonly (string | number)[]; readonly message: string }[];
}

/** Everything the gateway answers over HTTP, on a broker in memory, without a socket. */
export function appBench(
  policy: Partial<OriginPolicy> = {},
  demo: Hono | undefined = undefined,
  options: BenchOptions = {},
) {
  const { watchDefault = "allow", maxConnections = 0, maxPerUser = 0 } = options;
  const { access = new ClaimsAndViewers(watchDefault) } = options;
  const node = memoryNode({ mostBytes: options.mostBytes });
  const { clock, telemetry, pubSub, elsewhere } = node;
  const channel = someAnalysis();
  const analysisId = analysisIdOf(channel);
  const tokens = new KnownTokens(clock);
  tokens.know("publisher", { userId: undefined, scopes: new Set(["analysis:publish", "notice:publish"]) });
  tokens.know("watcher");
  const registry = new ConnectionRegistry({ maxConnections, maxPerUser, maxSubscriptionsPerUser: 0 });
  const feeds = new FeedRegistry(pubSub, clock, telemetry);
  const sessions: SessionServices = {
    tokens,
    access,
    subscribe: new SubscribeToAnalysis(feeds, registry, access),
    connections: new OpenConnections(registry, clock),
    registry,
    heartbeats: new SendHeartbeats(clock, 15_000),
    clock,
    telemetry,
    deliveries: new DeliveryMeters(),
    refusals: new Refusals(telemetry),
    settings: { heartbeatIntervalMs: 15_000, heartbeatTimeoutMs: 30_000, messageRate: 0 },
  };
  const inboxOfWorkers = new InMemoryInbox({ broker: node.broker, clock });
  const inbox = new WatchInbox(inboxOfWorkers, clock);
  const workers: { away: BrokerTrouble | undefined } = { away: undefined };
  const deadLetters: { trouble: BrokerTrouble | undefined } = { trouble: undefined };
  const ingestInbox: { trouble: BrokerTrouble | undefined } = { trouble: undefined };
  const leaving = new AbortController();
  const reads = new FairQueue(clock);
  const expire = new ExpireStaleConnections(registry, sessions.connections, clock, 30_000);
  /** Time passes in sweeps, as in a running gateway, and what is written is taken as fast as it is read. */
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 1_000) {
      clock.advance(1_000);
      await turn();
      expire.execute();
    }
  };
  const app = gatewayApp({
    tokens,
    access,
    broadcast: new BroadcastEvent(pubSub, clock, telemetry),
    declareViewers: new DeclareViewers(pubSub),
    cancel: new CancelAnalysis(pubSub, access, clock),
    read: new ReadAnalysis(pubSub, reads, access, 60_000),
    readEvents: new ReadEvents(pubSub, reads, feeds, clock, access),
    sessions,
    origins: { allowedOrigins: undefined, mode: "production", ...policy },
    telemetry,
    rules: options.rules ?? EVENT_RULES,
    demo,
    exposition: options.exposition,
    version: "1.2.3",
    clientScript: options.clientScript ?? (async () => undefined),
    path: "",
    pubSub,
    requestLimit: new WatchRequestLimit(pubSub, telemetry),
    workers,
    deadLetters,
    ingestInbox,
    inbox,
    registry,
    clock,
    counters: () => Object.fromEntries(telemetry.counts),
    capabilities: () => ["dead_letters"],
    leaving: leaving.signal,
  });

  const ask = async (path: string, options: AskOptions = {}): Promise<Response> => {
    const { method = "GET", token = "watcher", body, headers = {}, signal } = options;
    const raw = typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
    return app.fetch(
      new Request(`http://telltale.example${path}`, {
        method,
        ...(signal !== undefined && { signal }),
        headers: {
          ...(token !== null && { Authorization: `Bearer ${token}` }),
          Host: "telltale.example",
          ...headers,
        },
        ...(body !== undefined && { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
      }),
    );
  };
  const send =
    (method: string, path: string) =>
    (body: unknown, options: AskOptions = {}) =>
      ask(path, { method, token: "publisher", body, ...options });
  const eventsPath = `/v1/analyses/${analysisId}/events`;

  return {
    ...node,
    app,
    channel,
    analysisId,
    tokens,
    registry,
    sessions,
    inbox,
    inboxOfWorkers,
    workers,
    deadLetters,
    ingestInbox,
    feeds,
    reads,
    ask,
    pass,
    eventsPath,
    publish: send("POST", eventsPath),
    notify: send("POST", "/v1/notices"),
    declare: send("PUT", `/v1/analyses/${analysisId}`),
    drain: () => leaving.abort(),
    kept: async (of: ChannelName = channel) =>
      (await wholeHistory(elsewhere, of)).map(({ text }) => JSON.parse(text)),
  };
}

/** The problem that an answer holds; throws if it is none of the promised form. */
export async function problemOf(answer: Response): Promise<Problem> {
  const type = answer.headers.get("Content-Type");
  if (type !== "application/problem+json") throw new Error(`${answer.status} ${type}`);
  const problem = (await answer.json()) as Problem;
  if (problem.status !== answer.status) throw new Error(`${problem.status} in an answer of ${answer.status}`);
  return problem;
}

export async function codeOf(answer: Response): Promise<[number, string]> {
  const { status, code } = await problemOf(answer);
  return [status, code];
}
