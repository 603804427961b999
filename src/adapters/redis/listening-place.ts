import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { BareMessage } from "../../application/ports/worker-channel-port.ts";
import type { BusPaths } from "./bus-paths.ts";
import type { PlainChannels } from "./plain-channels.ts";
import type { RedisLinks } from "./redis-links.ts";
import type { RedisPrimary } from "./slot-owners.ts";
import { SubscriptionLink } from "./subscription-link.ts";

interface ListeningPlaceOptions {
  readonly primary: RedisPrimary;
  readonly channels: PlainChannels;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly links: RedisLinks;
  /** Publishes at this primary, over another connection. Resolves with how many connections it was sent to. */
  readonly publish: (channel: string, message: string) => Promise<number>;
  /** Called when it has subscribed: it hears all messages from now on. It then `joins` or `passesOn`. */
  readonly onSubscribed: (place: ListeningPlace) => void;
  readonly onMessage: (place: ListeningPlace, heard: PlaceMessage) => void;
  readonly onProbe: (place: ListeningPlace, text: string) => void;
  /** Called when the connection broke, with the ways of it if it had subscribed. */
  readonly onLost: (place: ListeningPlace, paths: BusPaths | undefined) => void;
}

/** A message as one place heard it. */
export interface PlaceMessage {
  readonly message: Pick<BareMessage, "channel" | "payload" | "garbled">;
  readonly bytes: Buffer;
  /** It was published at this time or later, by the node's clock. */
  readonly earliest: number;
}

type PlaceState =
  | { readonly type: "connecting"; readonly held: PlaceMessage[] }
  /** It hears everything, and waits until the places before it have passed on what it did not hear. */
  | {
      readonly type: "joining";
      readonly held: PlaceMessage[];
      readonly paths: BusPaths;
      round?: number;
    }
  | { readonly type: "hearing"; readonly paths: BusPaths }
  | { readonly type: "left" };

/** A connection to one primary of a Cluster that listens to the plain channels of workers. */
export class ListeningPlace {
  readonly primary: RedisPrimary;
  /** It is to be left as soon as another place has joined in its stead. */
  isGivenUp = false;
  readonly #options: ListeningPlaceOptions;
  readonly #link: SubscriptionLink;
  #state: PlaceState = { type: "connecting", held: [] };

  constructor(options: ListeningPlaceOptions) {
    this.#options = options;
    this.primary = options.primary;
    const { primary, channels, clock, telemetry, links, publish } = options;
    this.#link = new SubscriptionLink({
      ...{ target: primary.target, clock, telemetry, links, publish },
      purpose: "workers",
      probeChannel: () => channels.probes,
      onReady: () => void this.#ask(),
      onLost: () => {
        if (this.#state.type === "left") return;
        const { paths } = this;
        this.#state = { type: "connecting", held: [] };
        options.onLost(this, paths);
      },
    });
    channels.hear(
      this.#link.redis,
      (message, bytes) => {
        const lateMs = Math.max(this.#link.lateMs, this.paths?.lateMs ?? 0);
        const heard = { message, bytes, earliest: clock.now() - lateMs };
        if (this.#state.type === "hearing") options.onMessage(this, heard);
        else if (this.#state.type !== "left") this.#state.held.push(heard);
      },
      (text) => options.onProbe(this, text),
    );
  }

  /** Why it may miss messages. */
  get away(): BrokerTrouble | undefined {
    return this.#link.away;
  }

  get isHearing(): boolean {
    return this.#state.type === "hearing";
  }

  get isJoining(): boolean {
    return this.#state.type === "joining";
  }

  /** The round of probes after which it has joined; undefined if it does not wait for any. */
  get joinsAfter(): number | undefined {
    return this.#state.type === "joining" ? this.#state.round : undefined;
  }

  set joinsAfter(round: number) {
    if (this.#state.type === "joining") this.#state.round = round;
  }

  get isConnecting(): boolean {
    return this.#state.type === "connecting";
  }

  /** The ways on which it hears the primaries, from when it has subscribed. */
  get paths(): BusPaths | undefined {
    const state = this.#state;
    return state.type === "joining" || state.type === "hearing" ? state.paths : undefined;
  }

  /** It holds its messages until `passesOn`. */
  joins(paths: BusPaths): void {
    this.#state = { type: "joining", held: this.#held, paths };
  }

  /** Passes on what it holds, and from now on what it hears. */
  passesOn(paths: BusPaths): void {
    const held = this.#held;
    this.#state = { type: "hearing", paths };
    for (const heard of held) this.#options.onMessage(this, heard);
  }

  async unsubscribe(): Promise<void> {
    if (this.#link.away === undefined) await this.#options.channels.unsubscribe(this.#link.redis);
  }

  close(): void {
    this.#state = { type: "left" };
    this.#link.close();
  }

  get #held(): PlaceMessage[] {
    return "held" in this.#state ? this.#state.held : [];
  }

  async #ask(): Promise<void> {
    const state = this.#state;
    try {
      await this.#options.channels.subscribe(this.#link.redis);
    } catch (error) {
      // A connection that hears half of the channels is worse than none.
      if (this.#state === state) this.#link.refused(error);
      return;
    }
    if (this.#state !== state || this.#link.starting) return;
    this.#link.accepted();
    this.#options.onSubscribed(this);
  }
}
