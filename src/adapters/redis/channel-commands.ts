import type { Redis } from "ioredis";
import { slotOf } from "./cluster-slots.ts";
import type { OwnChannels } from "./redis-scripts.ts";

/** How a connection subscribes to channels of one kind, and hears them. */
export interface ChannelCommands {
  /** The client's events for a message, as text and as bytes. */
  readonly message: "message" | "smessage";
  readonly messageBuffer: "messageBuffer" | "smessageBuffer";
  /** Whether the server may drop a channel unasked because another one serves it by now. */
  readonly mayMove: boolean;
  /** Divides channels into those that one command may name together. */
  groups(channels: readonly string[]): readonly (readonly string[])[];
  subscribe(redis: Redis, channels: readonly string[]): Promise<unknown>;
  unsubscribe(redis: Redis, channels: readonly string[]): Promise<unknown>;
}

export const CHANNEL_COMMANDS: Readonly<Record<OwnChannels, ChannelCommands>> = {
  plain: {
    message: "message",
    messageBuffer: "messageBuffer",
    mayMove: false,
    groups: (channels) => [channels],
    subscribe: (redis, channels) => redis.subscribe(...channels),
    unsubscribe: (redis, channels) => redis.unsubscribe(...channels),
  },
  sharded: {
    message: "smessage",
    messageBuffer: "smessageBuffer",
    mayMove: true,
    groups: (channels) => [...Map.groupBy(channels, slotOf).values()],
    subscribe: (redis, channels) => redis.ssubscribe(...channels),
    unsubscribe: (redis, channels) => redis.sunsubscribe(...channels),
  },
};

/** The sharded channels that the server delivers to the client. */
export function subscribedBy(redis: Redis): ReadonlySet<string> {
  const subscriber = redis.condition?.subscriber;
  return new Set(subscriber ? subscriber.channels("ssubscribe") : []);
}
