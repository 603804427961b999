import type { DeliveryOwner } from "../application/fan-out/delivery.ts";
import type { Watch } from "../application/watch.ts";
import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import type { AnalysisId } from "../domain/channel.ts";
import { CLOSE_CODES } from "../domain/close-code.ts";
import { REFUSALS } from "./admission.ts";
import type { SessionHost } from "./session-host.ts";
import type { WatchQuery } from "./watch-query.ts";

/** What `/ws/analysis/{id}` watches: the connection stands and falls with it. */
export class OneAnalysis implements DeliveryOwner {
  readonly type = "one";
  readonly #host: SessionHost;
  readonly analysisId: AnalysisId;
  #grant: AccessGrant;
  #watch: Watch | undefined;
  #ended = false;

  constructor(host: SessionHost, analysisId: AnalysisId, grant: AccessGrant) {
    this.#host = host;
    this.analysisId = analysisId;
    this.#grant = grant;
  }

  /** Right in the turn in which `begin` is called. */
  get resumed(): boolean | null {
    return this.#watch?.resumed ?? null;
  }

  /** Resolves when `begin` may be called, or the client was told why not. Rejects without the broker. */
  async join({ replay, untilTerminal, conflates }: WatchQuery): Promise<void> {
    // Counted beside those of /ws; what limits it is the number of connections.
    this.#host.services.registry.countSubscription(this.#host.id);
    const answer = await this.#host.services.subscribe.execute({
      analysisId: this.analysisId,
      grant: this.#grant,
      writer: this.#host.writer,
      owner: this,
      replay,
      untilTerminal,
      conflates,
    });
    if (answer.type !== "watching") this.#refuse(answer.type);
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

  failed(error: unknown): void {
    this.#host.failed(error);
  }

  viewersChanged(viewers: ViewerList): void {
    // Whoever is not in yet is looked at then.
    if (this.#watch !== undefined) this.#check(viewers);
  }

  #check(viewers: ViewerList | undefined): boolean {
    const { subscribe } = this.#host.services;
    const verdict = subscribe.judge(this.#grant, this.analysisId, viewers);
    if (verdict === "allowed") return true;
    this.#refuse(verdict);
    return false;
  }

  #refuse(why: "not_allowed" | "not_declared"): void {
    const { code, reason } = REFUSALS[why];
    if (!this.#ended) this.#host.close(code, reason);
  }
}
