import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type {
  BareMessage,
  Listening,
  WorkerChannelPort,
} from "../../application/ports/worker-channel-port.ts";
import { OccurrenceCounter } from "../system/occurrence-counter.ts";
import { ListeningPlaces } from "./listening-places.ts";
import type { PerPrimary } from "./per-primary.ts";
import { type ListenedKinds, PlainChannels } from "./plain-channels.ts";
import { RedisCommands } from "./redis-commands.ts";
import type { RedisServers } from "./redis-servers.ts";

interface ClusterWorkerChannelsOptions {
  readonly servers: RedisServers;
  readonly listen: ListenedKinds;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/** A Cluster has no other database. */
const DB = 0;
/** At the end the gateway waits so long for what workers published before. */
const FLUSH_MS = 1_000;

/**
 * The plain channels of workers on a Cluster. One primary delivers what workers publish at any server; messages of one server
 * come in order, those of several in none. The gateway listens at two primaries, so that it misses nothing while one of them,
 * or its link to another server, is away. Gateways count messages each by itself: no mark orders those of several servers.
 */
export class ClusterWorkerChannels implements WorkerChannelPort {
  readonly #options: ClusterWorkerChannelsOptions;
  readonly #commands: PerPrimary<RedisCommands>;
  readonly #heard = Promise.withResolvers<void>();
  #places: ListeningPlaces | undefined;
  #stopped = false;

  constructor(options: ClusterWorkerChannelsOptions) {
    this.#options = options;
    const { servers, clock, telemetry } = options;
    this.#commands = servers.each(
      (primary) =>
        new RedisCommands({
          ...{ target: primary.target, links: servers.linksOf(primary), clock, telemetry },
          purpose: "workers-probes",
        }),
    );
  }

  /** Call it once. Resolves when Redis delivers for the first time, however long it is away before. */
  async listen(heard: (message: BareMessage) => void): Promise<void> {
    const { listen, servers, clock, telemetry } = this.#options;
    if (listen.size === 0) return;
    const counter = new OccurrenceCounter(clock.now());
    this.#places = new ListeningPlaces({
      ...{ servers, clock, telemetry, channels: new PlainChannels(listen, DB), commands: this.#commands },
      onBegin: () => {
        counter.connected(clock.now());
        this.#heard.resolve();
      },
      onMessage: ({ message, bytes, earliest }) => {
        const occurrence = counter.heard(message.channel, bytes, earliest);
        heard({ ...message, occurrence, lateMs: Math.max(0, clock.now() - earliest) });
      },
    });
    await this.#heard.promise;
  }

  async stopListening(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#heard.resolve();
    try {
      await this.#places?.flush(FLUSH_MS);
      await this.#places?.unsubscribe();
    } catch (error) {
      this.#options.telemetry.log("debug", "stopped listening without an answer of Redis", {
        reason: reasonOf(error),
      });
    }
    this.#places?.close();
  }

  listening(): Listening | undefined {
    return this.#stopped ? undefined : this.#places?.listening;
  }

  get away(): BrokerTrouble | undefined {
    if (this.#stopped || this.#options.listen.size === 0) return undefined;
    return this.#places === undefined ? { cause: "connecting" } : this.#places.away;
  }

  async close(): Promise<void> {
    await this.stopListening();
    this.#commands.close();
  }
}
