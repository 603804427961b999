import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../../src/testing/eventually.ts";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { statusUpdate } from "../support/publishing.ts";
import { type ReturningClient, ReturningSocket, ReturningStream, Tally } from "./returning-clients.ts";

export interface RollOptions {
  /** Half of them watch over WebSockets, the others over server-sent events. */
  readonly clients: number;
  readonly analyses: number;
  readonly eventsPerSecond: number;
  readonly drainSeconds: number;
  /** The settings of both gateways: their broker. */
  readonly env: Record<string, string>;
}

export interface RollReport {
  readonly events: number;
  readonly deliveries: number;
  /** The events that a client never got, and those that it got again or out of order, summed over all clients. */
  readonly lost: number;
  readonly doubled: number;
  readonly ends: ReadonlyMap<number, number>;
  readonly returns: number;
  readonly busiestSecond: number;
  readonly exitCodes: readonly number[];
  /** How long each gateway took to leave, in seconds. */
  readonly drains: readonly number[];
}

const LOOK_MS = 250;
const TOGETHER = 50;
/** By then everybody has come back from the last restart. */
const RETURN_MS = 60_000;

/** Restarts one of two gateways after the other, while clients watch and events are published. */
export async function rollGateways(options: RollOptions): Promise<RollReport> {
  const env = {
    DRAIN_SECONDS: `${options.drainSeconds}`,
    MAX_CONNECTIONS_PER_USER: "1000000",
    HISTORY_SIZE: "100000",
    ...options.env,
  };
  const balancer = new Balancer([await startGateway(env), await startGateway(env)]);
  const tally = new Tally();
  const token = await tokenFor({ scopes: ["analysis:publish"], expiresInSeconds: 7_200 });
  const ids = Array.from({ length: options.analyses }, () => crypto.randomUUID());
  const publisher = new Publisher(balancer, ids, token);
  const clients: ReturningClient[] = Array.from({ length: options.clients }, (_, index) => {
    const analysisId = ids[(index >> 1) % ids.length] as string;
    const of = { address: () => balancer.address(), analysisId, token, tally };
    return index % 2 === 0 ? new ReturningSocket(of) : new ReturningStream(of);
  });
  const stays: Promise<void>[] = [];
  try {
    await balancer.look();
    for (let at = 0; at < clients.length; at += TOGETHER) {
      const some = clients.slice(at, at + TOGETHER);
      stays.push(...some.map((client) => client.stay()));
      await Promise.all(some.map((client) => client.established));
    }
    const published = publisher.publish(options.eventsPerSecond);
    const exitCodes: number[] = [];
    const drains: number[] = [];
    for (const seat of [0, 1]) {
      const began = performance.now();
      exitCodes.push(await balancer.gateway(seat).stop());
      drains.push((performance.now() - began) / 1_000);
      await balancer.startAgain(seat, env);
    }
    publisher.end();
    await published;
    await publisher.publishToEach();
    const expected = (client: ReturningClient) => publisher.count(client);
    const haveAll = async () => clients.every((client) => client.numbers.at(-1) === expected(client));
    // Those who never come back miss their last event, which the report counts as lost.
    await eventually("everybody has the last event", haveAll, RETURN_MS).catch(String);
    return {
      ...judge(clients, expected),
      events: publisher.total,
      ends: tally.ends,
      returns: tally.returns.length,
      busiestSecond: tally.busiestSecond(),
      ...{ exitCodes, drains },
    };
  } finally {
    publisher.end();
    for (const client of clients) client.leave();
    await Promise.all(stays);
    await balancer.end();
  }
}

function judge(clients: readonly ReturningClient[], expected: (client: ReturningClient) => number) {
  let [lost, doubled, deliveries] = [0, 0, 0];
  for (const client of clients) {
    const { numbers } = client;
    deliveries += numbers.length;
    const distinct = new Set(numbers);
    lost += expected(client) - distinct.size;
    doubled += numbers.filter((number, at) => at > 0 && number <= (numbers[at - 1] as number)).length;
  }
  return { lost, doubled, deliveries };
}

/** Sends each client to a gateway that is ready, as it knows from asking each of them every 250 ms. */
class Balancer {
  readonly #gateways: GatewayProcess[];
  readonly #looking: ReturnType<typeof setInterval>;
  #ready: readonly string[] = [];

  constructor(gateways: GatewayProcess[]) {
    this.#gateways = gateways;
    this.#looking = setInterval(() => void this.look(), LOOK_MS);
  }

  gateway(seat: number): GatewayProcess {
    return this.#gateways[seat] as GatewayProcess;
  }

  address(): string {
    const one = this.#ready[Math.floor(Math.random() * this.#ready.length)];
    if (one === undefined) throw new Error("no gateway is ready");
    return one;
  }

  async look(): Promise<void> {
    const answers = await Promise.all(
      this.#gateways.map(async ({ url }) => ((await isReady(url)) ? [url] : [])),
    );
    this.#ready = answers.flat();
  }

  /** On the port that it had. */
  async startAgain(seat: number, env: Record<string, string>): Promise<void> {
    this.#gateways[seat] = await startGateway({ ...env, PORT: `${this.gateway(seat).port}` });
    await eventually("the new gateway is ready", () => isReady(this.gateway(seat).url));
    await this.look();
  }

  async end(): Promise<void> {
    clearInterval(this.#looking);
    await Promise.all(this.#gateways.map((gateway) => gateway.kill9()));
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/ready`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    // Not answering is not being ready.
    return false;
  }
}

/** Publishes numbered events over HTTP, to one analysis after the other, and repeats each with its key until it is stored. */
class Publisher {
  readonly #balancer: Balancer;
  readonly #ids: readonly string[];
  readonly #token: string;
  readonly #counts = new Map<string, number>();
  #ended = false;

  constructor(balancer: Balancer, ids: readonly string[], token: string) {
    this.#balancer = balancer;
    this.#ids = ids;
    this.#token = token;
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  count(client: ReturningClient): number {
    return this.#counts.get(client.analysisId) ?? 0;
  }

  /** Resolves when it was ended and every event is stored. */
  async publish(perSecond: number): Promise<void> {
    const began = performance.now();
    for (let sent = 0; !this.#ended; sent++) {
      await this.#publishTo(this.#ids[sent % this.#ids.length] as string);
      await pause(Math.max(0, began + ((sent + 1) * 1_000) / perSecond - performance.now()));
    }
  }

  end(): void {
    this.#ended = true;
  }

  /** One more event to each analysis. */
  async publishToEach(): Promise<void> {
    for (const id of this.#ids) await this.#publishTo(id);
  }

  async #publishTo(id: string): Promise<void> {
    const number = (this.#counts.get(id) ?? 0) + 1;
    await this.#store(id, number);
    this.#counts.set(id, number);
  }

  async #store(id: string, number: number): Promise<void> {
    const headers = { Authorization: `Bearer ${this.#token}`, "Idempotency-Key": `${id} ${number}` };
    const body = JSON.stringify(statusUpdate({ number }));
    await eventually(`event ${number} of ${id} is stored`, async () => {
      try {
        const url = `${this.#balancer.address()}/v1/analyses/${id}/events`;
        return (await fetch(url, { method: "POST", headers, body })).ok;
      } catch {
        // Another gateway takes the same event with the same key.
        return false;
      }
    });
  }
}
