import { answerOf } from "./nats-api.ts";
import { readFailure, writeFailure } from "./nats-errors.ts";
import type { NatsLink } from "./nats-link.ts";
import { heardSubject, STATE_STREAM } from "./subjects.ts";

/** When workers were last heard by a duplicate, which stores no event. The stream keeps the last one of each channel. */
export class NatsHeard {
  readonly #link: NatsLink;

  constructor(link: NatsLink) {
    this.#link = link;
  }

  /** Resolves when the stream has it. */
  async tell(channel: string): Promise<void> {
    try {
      answerOf((await this.#link.request(heardSubject(channel), "")).data);
    } catch (error) {
      throw writeFailure(error);
    }
  }

  /** The last time, in milliseconds since 1970 by the broker's clock; undefined if there was none. */
  async last(channel: string): Promise<number | undefined> {
    const query = JSON.stringify({ last_by_subj: heardSubject(channel) });
    try {
      const message = await this.#link.request(`$JS.API.DIRECT.GET.${STATE_STREAM}`, query);
      const at = Date.parse(message.headers?.get("Nats-Time-Stamp") ?? "");
      return Number.isNaN(at) ? undefined : at;
    } catch (error) {
      throw readFailure(error);
    }
  }
}
