import type { DeliveryOwner } from "../application/fan-out/delivery-request.ts";
import type { AccessGrant } from "../domain/access-grant.ts";
import type { AnalysisId } from "../domain/channel.ts";
import type { GivenPosition } from "../domain/event-position.ts";
import { ManyAnalyses } from "./many-analyses.ts";
import type { SubscribingHost } from "./subscription.ts";
import type { WatchQuery } from "./watch-query.ts";

/** The analyses of one event stream, each with the position that its client has; undefined if it has none. */
export type WantedAnalyses = ReadonlyMap<string, GivenPosition | undefined>;

/** As the analyses of a socket; and it knows if there is nothing that the stream could send. */
export class StreamedAnalyses extends ManyAnalyses {
  /** The client has seen the end of every analysis, and asked for no more. Known after `join`. */
  nothingLeft = false;
  readonly #host: SubscribingHost;
  readonly #grant: AccessGrant;
  readonly #wanted: WantedAnalyses;

  constructor(host: SubscribingHost, grant: AccessGrant, wanted: WantedAnalyses) {
    super(host, grant);
    this.#host = host;
    this.#grant = grant;
    this.#wanted = wanted;
  }

  override async join(query: WatchQuery): Promise<void> {
    await super.join(query);
    if (!query.untilTerminal || [...this.#wanted.values()].some((after) => after === undefined)) return;
    const asked = [...this.#wanted].map(([id, after]) => this.#hasSeenEnd(id as AnalysisId, after, query));
    this.nothingLeft = (await Promise.all(asked)).every(Boolean);
  }

  /** False also if it cannot be known: the subscription says why. */
  async #hasSeenEnd(
    analysisId: AnalysisId,
    after: GivenPosition | undefined,
    { replay: { mode }, conflates }: WatchQuery,
  ): Promise<boolean> {
    try {
      const answer = await this.#host.services.subscribe.execute({
        analysisId,
        grant: this.#grant,
        writer: this.#host.writer,
        owner: NOBODY,
        replay: { mode, after },
        untilTerminal: true,
        conflates,
      });
      if (answer.type !== "watching") return false;
      const { nothingLeft } = answer.watch;
      answer.watch.end();
      return nothingLeft;
    } catch {
      // Each subscription meets the same fault, and tells the client.
      return false;
    }
  }
}

const NOBODY: DeliveryOwner = {
  tooSlow() {},
  startsAfresh() {},
  caughtUp() {},
  finished() {},
  viewersChanged() {},
  failed() {},
};
