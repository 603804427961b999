import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { Listening } from "../../application/ports/worker-channel-port.ts";
import type { BusPaths } from "./bus-paths.ts";
import { BusProbes } from "./bus-probes.ts";
import { HeardCopies } from "./heard-copies.ts";
import { ListeningPlace, type PlaceMessage } from "./listening-place.ts";
import type { PerPrimary } from "./per-primary.ts";
import type { PlainChannels } from "./plain-channels.ts";
import type { RedisCommands } from "./redis-commands.ts";
import type { RedisServers } from "./redis-servers.ts";
import type { RedisPrimary } from "./slot-owners.ts";

interface ListeningPlacesOptions {
  readonly servers: RedisServers;
  readonly channels: PlainChannels;
  /** Over which probes are published. */
  readonly commands: PerPrimary<RedisCommands>;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** Called when a place hears and none did before: what was published until now is missed. */
  readonly onBegin: () => void;
  /** Called with each message once. */
  readonly onMessage: (heard: PlaceMessage) => void;
}

/** The gateway listens at so many primaries at once, if there are so many. */
const PLACES = 2;
/** A connection that broke has so long to come back before the gateway listens at another primary. */
const MOVE_AFTER_MS = 500;
/** A place that joins others waits so long before it asks how far they are, for what servers that take no probes have sent … */
const JOIN_AFTER_MS = 200;
/** … and until then at most for the answers. */
const JOIN_WITHIN_MS = 3_000;
/** So long after a probe a copy may still come: to a place that has just subscribed, or from a server that takes no probes. */
const GRACE_MS = 5_000;

/**
 * The primaries of a Cluster at which a gateway listens, and one stream of what it hears there: the first copy of each
 * message. If a place is lost, owns no slots any more, or does not hear one of the primaries, another one joins before it is
 * left. A place that joins holds its messages until those before it have passed on what it did not hear, so that the stream
 * keeps its order.
 */
export class ListeningPlaces {
  readonly #options: ListeningPlacesOptions;
  readonly #all = new Set<ListeningPlace>();
  readonly #copies = new HeardCopies<ListeningPlace>();
  readonly #stopFollowing: () => void;
  /** There while a place hears. */
  #probes: BusProbes | undefined;
  #closed = false;

  constructor(options: ListeningPlacesOptions) {
    this.#options = options;
    this.#stopFollowing = options.servers.owners.onChange(() => this.#arrange());
    this.#arrange();
  }

  get listening(): Listening | undefined {
    return this.#probes;
  }

  get away(): BrokerTrouble | undefined {
    const troubles = [...this.#all].map((place) => place.away);
    if (troubles.length === 0) return this.#options.servers.owners.trouble ?? { cause: "connecting" };
    return troubles.includes(undefined) ? undefined : troubles[0];
  }

  /** Resolves when one place has heard everything that any primary took before the call, or after `milliseconds`. */
  async flush(milliseconds: number): Promise<void> {
    const probes = this.#probes;
    if (probes === undefined) return;
    const { clock } = this.#options;
    const until = clock.now() + milliseconds;
    const round = probes.publish();
    while (clock.now() < until && !this.#hearing.some(({ paths }) => paths?.heardAll(round))) {
      await new Promise<void>((resolve) => clock.after(10, resolve));
    }
  }

  /** Resolves when every server has answered. */
  async unsubscribe(): Promise<void> {
    this.#closed = true;
    this.#stopFollowing();
    await Promise.all([...this.#all].map((place) => place.unsubscribe()));
  }

  close(): void {
    this.#closed = true;
    this.#stopFollowing();
    this.#probes?.close();
    this.#probes = undefined;
    for (const place of this.#all) this.#leave(place);
  }

  get #hearing(): readonly ListeningPlace[] {
    return [...this.#all].filter((place) => place.isHearing);
  }

  /** Opens the places that are wanted and not there, and leaves those that others have replaced. */
  #arrange(): void {
    if (this.#closed) return;
    const { primaries } = this.#options.servers.owners;
    const wanted = Math.min(PLACES, primaries.length);
    const taken = new Set([...this.#all].map(({ primary }) => primary));
    const free = primaries.filter((primary) => !taken.has(primary));
    const good = [...this.#all].filter((place) => !place.isGivenUp && primaries.includes(place.primary));
    while (good.length < wanted && free.length > 0) {
      const [primary] = free.splice(Math.floor(Math.random() * free.length), 1) as [RedisPrimary];
      const place = this.#open(primary);
      this.#all.add(place);
      good.push(place);
    }
    const kept = good.filter((place) => place.isHearing).slice(0, wanted);
    if (kept.length < wanted) return;
    for (const place of this.#all) if (!kept.includes(place)) this.#leave(place);
  }

  #leave(place: ListeningPlace): void {
    this.#all.delete(place);
    if (place.paths !== undefined) this.#probes?.remove(place.paths);
    place.close();
  }

  #open(primary: RedisPrimary): ListeningPlace {
    const { servers, channels, commands, clock, telemetry, onMessage } = this.#options;
    return new ListeningPlace({
      ...{ primary, channels, clock, telemetry, links: servers.linksOf(primary) },
      publish: async (channel, message) => commands.of(primary).publish(channel, message),
      onSubscribed: (place) => this.#subscribed(place),
      onMessage: (place, heard) => {
        if (this.#copies.isNew(place, heard.message.channel, heard.bytes, clock.now())) onMessage(heard);
      },
      onProbe: (place, text) => this.#probe(place, text),
      onLost: (place, paths) => this.#lost(place, paths),
    });
  }

  #subscribed(place: ListeningPlace): void {
    if (this.#closed) return;
    place.isGivenUp = false;
    const probes = this.#probes;
    if (probes === undefined) {
      this.#begin(place);
      return;
    }
    const paths = probes.add();
    place.joins(paths);
    const { clock } = this.#options;
    clock.after(JOIN_AFTER_MS, () => {
      if (place.paths === paths && this.#probes === probes) place.joinsAfter = probes.publish();
    });
    clock.after(JOIN_WITHIN_MS, () => {
      if (place.paths === paths) this.#join(place);
    });
  }

  #begin(place: ListeningPlace): void {
    const { servers, channels, commands, clock, telemetry, onBegin } = this.#options;
    const probes = new BusProbes({
      ...{ clock, telemetry, primaries: () => servers.owners.primaries },
      publishAt: async (primary, text) => commands.of(primary).publish(channels.probes, text),
      onTick: () => this.#look(),
    });
    this.#probes = probes;
    onBegin();
    place.passesOn(probes.add());
    probes.publish();
    this.#arrange();
  }

  #join(place: ListeningPlace): void {
    if (!place.isJoining || place.paths === undefined) return;
    place.passesOn(place.paths);
    this.#arrange();
  }

  #probe(at: ListeningPlace, text: string): void {
    if (at.paths === undefined) return;
    this.#probes?.heard(text, at.paths);
    for (const place of this.#all) {
      const round = place.joinsAfter;
      if (round === undefined) continue;
      if ([place, ...this.#hearing].every(({ paths }) => paths?.heardAll(round))) this.#join(place);
    }
  }

  #lost(place: ListeningPlace, paths: BusPaths | undefined): void {
    if (paths !== undefined) this.#probes?.remove(paths);
    if (this.#hearing.length === 0) this.#hearsNothing();
    this.#options.clock.after(MOVE_AFTER_MS, () => {
      if (!this.#all.has(place) || !place.isConnecting) return;
      place.isGivenUp = true;
      this.#arrange();
    });
  }

  /** A place that joins has none to wait for any more. */
  #hearsNothing(): void {
    this.#probes?.close();
    this.#probes = undefined;
    for (const place of this.#all) if (place.isJoining) this.#subscribed(place);
  }

  #look(): void {
    const { telemetry } = this.#options;
    const heardUpTo = this.#hearing.flatMap(({ paths }) => (paths === undefined ? [] : [paths.heardUpTo]));
    this.#copies.forget(Math.min(...heardUpTo) - GRACE_MS);
    for (const place of this.#hearing) {
      if (place.paths === undefined) continue;
      const from = place.paths.broken;
      if (from === undefined || place.isGivenUp) continue;
      telemetry.count("telltale_stalled_subscriptions_total", {});
      telemetry.log("warn", "a primary does not hear another one, listening elsewhere", {
        ...{ at: place.primary.name, from: from.name },
      });
      place.isGivenUp = true;
    }
    this.#arrange();
  }
}
