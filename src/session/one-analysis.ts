import type { DeliveryOwner } from "../application/fan-out/delivery-request.ts";
import type { Watch } from "../application/watch.ts";
import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import type { AnalysisId } from "../domain/channel.ts";
import { CLOSE_CODES } from "../domain/close-code.ts";
import type { EventPosition } from "../domain/event-position.ts";
import { caughtUp } from "./server-frames.ts";
import type { Session, Watched } from "./session.ts";
import type { WatchQuery } from "./watch-query.ts";

/** The analysis of `/ws/analysis/{id}` or of an event stream: its end is the end of the connection. */
export class OneAnalysis implements Watched, DeliveryOwner {
  readonly type = "one";
  readonly #host: OneAnalysisHost;
  readonly analysisId: AnalysisId;
  #grant: AccessGrant;
  #query: OneAnalysisQuery = { markers: false, strict: false };
  #state: OneAnalysisState = { type: "joining" };

  constructor(host: OneAnalysisHost, analysisId: AnalysisId, grant: AccessGrant) {
    this.#host = host;
    this.analysisId = analysisId;
    this.#grant = grant;
  }

  get resumed(): boolean | null {
    return this.#state.type === "joined" ? this.#state.watch.resumed : null;
  }

  /** The client was sent everything up to there; undefined if it does not want to know. */
  get marker(): EventPosition | undefined {
    if (!this.#query.markers || this.#state.type !== "joined") return undefined;
    return this.#state.watch.position ?? BEGINNING;
  }

  /** Whether `begin` would send nothing and end at once, because the client saw the end that it asked for. */
  get nothingLeft(): boolean {
    return this.#state.type === "joined" && this.#state.watch.nothingLeft;
  }

  async join({ replay, untilTerminal, conflates, markers, strict }: WatchQuery): Promise<void> {
    this.#query = { markers, strict };
    // Counted beside the subscriptions of /ws; the number of connections limits it.
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
    else if (this.#state.type === "ended") answer.watch.end();
    else this.#state = { type: "joined", watch: answer.watch };
    this.#checkPosition();
  }

  begin(): void {
    if (this.#state.type === "joined") this.#state.watch.begin();
  }

  mayGoOn(grant: AccessGrant): boolean {
    this.#grant = grant;
    // The history may have moved since the replay was read.
    if (!this.#checkPosition()) return false;
    return this.#state.type === "joined" && this.#check(this.#state.watch.viewers);
  }

  /** Leaves nothing behind, at whatever instant. Idempotent. */
  end(): void {
    const state = this.#state;
    this.#state = { type: "ended" };
    if (state.type === "joined") state.watch.end();
  }

  tooSlow(): void {
    this.#host.tooSlow();
  }

  startsAfresh(): void {
    if (this.#query.strict) this.#refuse("position_gone");
    else this.#host.establish(false);
  }

  caughtUp(position: EventPosition): void {
    const { writer, services } = this.#host;
    if (this.#query.markers) writer.sendControl(caughtUp(this.analysisId, position, services.clock.now()));
  }

  finished(): void {
    this.#host.close(CLOSE_CODES.finished, "finished");
  }

  failed(error: unknown): void {
    this.#host.failed(error);
  }

  viewersChanged(viewers: ViewerList): void {
    // A client that is still joining is checked by `mayGoOn` before it begins.
    if (this.#state.type === "joined") this.#check(viewers);
  }

  #check(viewers: ViewerList | undefined): boolean {
    const { access } = this.#host.services;
    const verdict = access.mayGoOn({ analysisId: this.analysisId, grant: this.#grant, viewers });
    if (verdict === "allowed") return true;
    this.#refuse(verdict);
    return false;
  }

  /** False if the client's position is gone and it wants no other: then it was refused. */
  #checkPosition(): boolean {
    if (!this.#query.strict || this.resumed !== false) return true;
    this.#refuse("position_gone");
    return false;
  }

  #refuse(why: "not_allowed" | "not_declared" | "position_gone"): void {
    if (this.#state.type !== "ended") this.#host.refuse(why);
  }
}

const BEGINNING: EventPosition = { epoch: "", offset: 0 };

type OneAnalysisQuery = Pick<WatchQuery, "markers" | "strict">;

type OneAnalysisState =
  | { readonly type: "joining" }
  | { readonly type: "joined"; readonly watch: Watch }
  | { readonly type: "ended" };

/** The session, as its one analysis sees it. */
type OneAnalysisHost = Pick<
  Session<Watched>,
  "id" | "writer" | "services" | "establish" | "tooSlow" | "failed" | "close" | "refuse"
>;
