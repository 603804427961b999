import type { Acceptance, ConformanceCase, Expectation, Step, TransportName } from "./case-format.ts";
import type { Conversation } from "./conversation.ts";
import { FrameWriter } from "./frames.ts";
import { differenceOf, matches } from "./judge.ts";
import type { Stage } from "./stage.ts";
import type { Told } from "./told.ts";
import { ClientFault, type Visit } from "./visit.ts";

const BEAT_SECONDS = 10;

/** Plays the steps of a case, in their order. Throws ClientFault at the first that the client does not keep to. */
export class Play {
  readonly #stage: Stage;
  readonly #talk: Conversation;
  readonly #writer: FrameWriter;
  #visit: Visit | undefined;
  #lastToken = "";
  #endedAt = 0;

  constructor(stage: Stage, talk: Conversation) {
    this.#stage = stage;
    this.#talk = talk;
    this.#writer = new FrameWriter(stage.analysisId);
  }

  async all({ steps, until }: ConformanceCase, transports: readonly TransportName[]): Promise<void> {
    const { url, analysisId: analysis_id } = this.#stage;
    await this.#talk.say({ do: "watch", url, analysis_id, transports, until: until ?? null });
    for (const [index, step] of steps.entries()) {
      try {
        await this.#play(step);
        this.#stage.check();
      } catch (error) {
        if (!(error instanceof ClientFault)) throw error;
        throw new ClientFault(`step ${index + 1}, ${JSON.stringify(step)}: ${error.message}`);
      }
    }
    if (this.#stage.hasVisitor) throw new ClientFault("at the end the client asks for more");
  }

  async #play(step: Step): Promise<void> {
    if (step.accept) return this.#accept(step.accept);
    if (step.refuse) await (await this.#arrival(step.refuse)).refuse(step.refuse);
    if (step.refuse_analysis) await this.#refuseAnalysis(step.refuse_analysis);
    if (step.block) (await this.#arrival(step.block)).block(step.block.with);
    for (const written of step.send ?? []) this.#current.send(this.#writer.write(written));
    if (step.garble) (await this.#present()).garble();
    if (step.reset) await this.#reset();
    if (step.end) (await this.#present()).end(step.end);
    if (step.cut) (await this.#present()).cut();
    if (step.refuse || step.end || step.cut || step.garble || step.refuse_analysis)
      this.#endedAt = performance.now();
    if (step.pong) await this.#pong();
    if (step.authenticate) await this.#authenticate();
    if (step.tokens) this.#stage.tokens = step.tokens;
    if (step.skip !== undefined) await this.#skip(step.skip);
    if (step.quiet_for !== undefined) await this.#quietFor(step.quiet_for);
    if (step.asks_within !== undefined) await this.#asksWithin(step.asks_within);
    if (step.gives_up) await this.#givesUp(step.gives_up);
    if (step.wait_out) await this.#waitOut(step.wait_out);
    if (step.expect) await this.#expect(step.expect);
    if (step.cancel) {
      this.#stage.cancelAnswer = step.cancel;
      await this.#talk.say({ do: "cancel", reason: step.cancel.reason ?? null });
    }
    if (step.close) await this.#talk.say({ do: "close" });
    if (step.retry_now) await this.#talk.say({ do: "retry_now" });
    if (step.nothing_left)
      await this.#stage.until(() => !this.#stage.isAnyOpen, "a connection or a request is left behind");
  }

  get #current(): Visit {
    if (this.#visit === undefined) throw new Error("the case has accepted no connection");
    return this.#visit;
  }

  /** Reads come one after the other: between two of them the client is away. */
  async #present(): Promise<Visit> {
    await this.#stage.until(() => this.#current.isOpen, "the client has gone");
    return this.#current;
  }

  async #arrival({
    over,
    token,
  }: {
    readonly over?: TransportName | undefined;
    readonly token: string;
  }): Promise<Visit> {
    const visit = await this.#stage.arrival();
    if (over !== undefined && visit.transport !== over)
      throw new ClientFault(`it comes over ${visit.transport}, not ${over}`);
    if (visit.token === "") throw new ClientFault("it comes without a token");
    if (token === "new" && visit.token === this.#lastToken)
      throw new ClientFault("it comes with its last token");
    this.#lastToken = visit.token;
    this.#visit = visit;
    return visit;
  }

  async #accept(acceptance: Acceptance): Promise<void> {
    const visit = await this.#arrival(acceptance);
    const resumed = (position: string) => {
      if (position !== acceptance.position)
        throw new ClientFault(`it asks from the position ${position}, not ${acceptance.position}`);
      return acceptance.resumed ?? (position === "none" ? null : true);
    };
    if (acceptance.resumed === false) this.#writer.begin();
    const accepted = visit.accept({ ...acceptance, timestamp: this.#stage.timestamp, resumed });
    const isOver = await this.#stage.within(accepted, "it does not subscribe", () => !visit.isOpen);
    // A client may try a transport and, when it got through, come again.
    if (isOver) await this.#accept(acceptance);
  }

  async #refuseAnalysis(refusal: NonNullable<Step["refuse_analysis"]>): Promise<void> {
    const visit = await this.#arrival(refusal);
    await this.#stage.within(visit.refuseAnalysis(refusal.code), "it does not subscribe");
  }

  async #pong(): Promise<void> {
    await this.#stage.until(() => this.#current.took("ping") !== undefined, "no ping came");
    this.#current.send(this.#writer.write({ heartbeat: { message: "pong" } }));
  }

  async #authenticate(): Promise<void> {
    await this.#stage.until(() => {
      const visit = this.#current;
      const token = visit.transport === "poll" ? visit.token : visit.took("authenticate")?.token;
      if (typeof token !== "string" || token === this.#lastToken) return false;
      this.#lastToken = token;
      return true;
    }, "no other token came");
    if (this.#current.transport === "websocket")
      this.#current.send(this.#writer.write({ authenticated: { expires_at: this.#stage.timestamp } }));
  }

  async #skip(seconds: number): Promise<Told> {
    this.#stage.skipped(seconds);
    return this.#talk.say({ do: "skip", seconds });
  }

  async #reset(): Promise<void> {
    (await this.#present()).reset();
    this.#writer.begin();
  }

  /** Nothing happens, and the client is shown that the gateway is there. */
  async #quietFor(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= BEAT_SECONDS) {
      await this.#skip(Math.min(left, BEAT_SECONDS));
      (await this.#present()).beat();
      // Bun may send what was written to a stream after the next command: time would pass without the beat.
      await Bun.sleep(1);
    }
  }

  /** Time passes until the client asks for the analysis by itself. */
  async #asksWithin(seconds: number): Promise<void> {
    for (let passed = 0; passed < seconds; passed += 1) {
      await this.#skip(1);
      if (await this.#stage.soon(() => this.#stage.hasVisitor)) return;
    }
    throw new ClientFault(`it does not ask within ${seconds} s`);
  }

  /** Time passes until the client ends the connection by itself. */
  async #givesUp({ at_least, at_most }: NonNullable<Step["gives_up"]>): Promise<void> {
    for (let seconds = 1; seconds <= at_most; seconds += 1) {
      const { connection } = (await this.#skip(1)).report.snapshot;
      if (connection.status === "live" || (connection.status === "connecting" && !this.#stage.hasVisitor))
        continue;
      if (seconds < at_least) throw new ClientFault(`it gives up after ${seconds} s`);
      return;
    }
    throw new ClientFault(`it does not give up within ${at_most} s`);
  }

  /** The client waits to come back; its pause is then over. One whose clock goes on may have come back already. */
  async #waitOut({ at_least, at_most, ...rest }: NonNullable<Step["wait_out"]>): Promise<void> {
    let told: Told | undefined;
    /** A client that has not heard yet that it was refused again may still show the last pause, which is over. */
    const isWaiting = () => {
      const { status, retry_in_seconds = 0 } = told?.report.snapshot.connection ?? {};
      return status === "waiting" && (retry_in_seconds > 0 || at_most === 0);
    };
    await this.#stage.untilTold(async () => {
      told = await this.#talk.say({ do: "report" });
      if (isWaiting() || this.#stage.hasVisitor) return undefined;
      return `the connection is ${JSON.stringify(told.report.snapshot.connection)}, not waiting`;
    });
    const { connection } = (told as Told).report.snapshot;
    if (!isWaiting()) {
      const passed = (performance.now() - this.#endedAt) / 1000;
      if (passed < at_least) throw new ClientFault(`it came back within ${passed} s`);
      return;
    }
    const pause = connection.retry_in_seconds ?? Number.NaN;
    const passed = (performance.now() - this.#endedAt) / 1000;
    // The pause began no earlier than the end.
    if (!(pause + passed >= at_least && pause <= at_most))
      throw new ClientFault(`it comes back in ${pause} s, not in ${at_least} to ${at_most}`);
    if (!matches(connection, rest)) throw new ClientFault(`it waits for ${JSON.stringify(connection)}`);
    await this.#skip(Math.max(0, pause));
  }

  async #expect(expectation: Expectation): Promise<void> {
    await this.#stage.untilTold(async () =>
      differenceOf(expectation, await this.#talk.say({ do: "report" }), this.#writer.folded),
    );
  }
}
