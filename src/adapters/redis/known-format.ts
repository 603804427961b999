import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { NewerFormat } from "../../application/errors.ts";
import type { ChannelName } from "../../domain/channel.ts";
import type { TrialChannel } from "./redis-keys.ts";
import type { Outages } from "./redis-links.ts";
import type { ScriptReply } from "./stored-format.ts";

const SOURCE = "format";
const TROUBLE: BrokerTrouble = { cause: "newer_format" };

/** Knows which format of stored data this version understands, and whether it has met a newer one. */
export class KnownFormat {
  readonly newest = "2";
  readonly #outages: Outages;
  #met: ChannelName | TrialChannel | undefined;

  constructor(outages: Outages) {
    this.#outages = outages;
  }

  /** The channel that was found to be of a newer format, to be looked at again; undefined if there is none. */
  get met(): ChannelName | TrialChannel | undefined {
    return this.#met;
  }

  get trouble(): BrokerTrouble | undefined {
    return this.#met === undefined ? undefined : TROUBLE;
  }

  /** Passes on a reply that this version understands. Throws `NewerFormat` otherwise. */
  understood(reply: ScriptReply, channel: ChannelName | TrialChannel): ScriptReply {
    if (reply[0] !== "NEWER") return reply;
    const message = `Redis holds data of format ${reply[1]}, newer than ${this.newest}: this gateway is too old for it`;
    if (this.#met === undefined) {
      this.#met = channel;
      this.#outages.report(SOURCE, TROUBLE, message);
    }
    throw new NewerFormat(message);
  }

  /** Call it when the channel that was met is gone, or is of a format that this version understands. */
  forget(): void {
    this.#met = undefined;
    this.#outages.clear(SOURCE);
  }
}
