import type { DeliveryOwner } from "../../application/fan-out/delivery.ts";
import type { Watch } from "../../application/watch.ts";
import type { AccessGrant, ViewerList } from "../../domain/access-grant.ts";
import type { AnalysisId } from "../../domain/channel.ts";
import { CLOSE_CODES } from "../../domain/close-code.ts";
import type { WatchQuery } from "../watch-query.ts";
import type { SessionHost } from "./session-host.ts";

/** What `/ws/analysis/{id}` watches: the connection stands and falls with it. */
export class OneAnalysis implements DeliveryOwner {
  readonly type = "one";
  readonly #host: SessionHost;
  readonly #analysisId: AnalysisId;
  #grant: AccessGrant;
  #watch: Watch | undefined;
  #ended = false;

  constructor(host: SessionHost, analysisId: AnalysisId, grant: AccessGrant) {
    this.#host = host;
    this.#analysisId = analysisId;
    this.#grant = grant;
  }

  /** Right in the turn in which `begin` is called. */
  get resumed(): boolean | null {
    return this.#watch?.resumed ?? null;
  }

  /** Resolves when `begin` may be called, or the client was told why not. Rejects without the broker. */
  async join({ replay, untilTerminal, conflates }: WatchQuery): Promise<void> {
    const answer = await this.#host.services.subscribe.execute({
      analysisId: this.#analysisId,
      grant: this.#grant,
      outlet: this.#host.outlet,
      owner: this,
      replay,
      untilTerminal,
      conflates,
    });
    if (answer.type === "not_allowed") this.#refuse();
    else if (this.#ended) answer.watch.end();
    else this.#watch = answer.watch;
  }

  begin(): void {
    this.#watch?.begin();
  }

  /** Whether it may be watched with these rights; else the client was told. */
  mayGoOn(grant: AccessGrant): boolean {
    this.#grant = grant;
    return this.#watch !== undefined && this.#check(this.#watch.viewers);
  }

  /** Leaves nothing behind, at whatever instant. Idempotent. */
  end(): void {
    this.#ended = true;
    this.#watch?.end();
  }

  tooSlow(): void {
    this.#host.tooSlow();
  }

  startsAfresh(): void {
    this.#host.establish(false);
  }

  finished(): void {
    this.#host.close(CLOSE_CODES.finished, "finished");
  }

  viewersChanged(viewers: ViewerList): void {
    // Whoever is not in yet is looked at then.
    if (this.#watch !== undefined) this.#check(viewers);
  }

  #check(viewers: ViewerList | undefined): boolean {
    const { subscribe } = this.#host.services;
    const allowed = subscribe.mayStillWatch(this.#grant, this.#analysisId, viewers);
    if (!allowed) this.#refuse();
    return allowed;
  }

  #refuse(): void {
    if (!this.#ended) this.#host.close(CLOSE_CODES.forbidden, "not allowed to watch this analysis");
  }
}
