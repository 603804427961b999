import { Analysis } from "../../../src/client/analysis.ts";
import type { AnalysisOptions } from "../../../src/client/analysis-options.ts";
import type { EventWay } from "../../../src/client/event-way.ts";
import type { PublishAnswer } from "../../../src/client/publish-answer.ts";
import { type PublishIssue, PublishRefused } from "../../../src/client/publish-errors.ts";
import type { AnalysisId } from "../../../src/domain/channel.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { turn } from "../../support/turn.ts";

export const ACCEPTED: PublishAnswer = { type: "accepted", body: { event_ids: [] } };
export const CANCEL: PublishAnswer = { type: "accepted", body: { cancel_requested: true } };
export const AWAY: PublishAnswer = {
  type: "retry",
  retryAfterMs: undefined,
  mayHaveBeenStored: true,
  cause: new Error("connection refused"),
};

export function refusal(status: number, code: string, issues: readonly PublishIssue[] = []): PublishAnswer {
  return { type: "refused", error: new PublishRefused("the gateway says no", { status, code, issues }) };
}

type Sent = Readonly<Record<string, unknown>>;

/** A way out of which the test plays the answers. Events that it accepts count as stored. */
export class ScriptedWay implements EventWay {
  /** Judges each batch; accepts everything at first. */
  answers: (events: readonly Sent[]) => PublishAnswer | Promise<PublishAnswer> = () => ACCEPTED;
  beats: () => PublishAnswer | Promise<PublishAnswer> = () => ACCEPTED;
  readonly tries: { readonly events: readonly Sent[]; readonly key: string }[] = [];
  readonly stored: Sent[] = [];
  beatCount = 0;

  async send(texts: readonly string[], key: string): Promise<PublishAnswer> {
    const events = texts.map((text) => JSON.parse(text) as Sent);
    this.tries.push({ events, key });
    const answer = await this.answers(events);
    if (answer.type === "accepted") this.stored.push(...events);
    return answer;
  }

  async beat(): Promise<PublishAnswer> {
    this.beatCount += 1;
    return this.beats();
  }
}

export const ID = "0f8fad5b-d9cb-469f-a165-70867728950e" as AnalysisId;

export function working(options: AnalysisOptions = {}) {
  const way = new ScriptedWay();
  const clock = new ManualClock();
  const log: string[] = [];
  const analysis = new Analysis(
    ID,
    way,
    { log: (line) => log.push(line), ...options },
    { clock, random: () => 0 },
  );
  /** So much time passes, in steps that let everything that is due happen. */
  const pass = async (milliseconds: number) => {
    await turn();
    for (let left = milliseconds; left > 0; left -= 100) {
      clock.advance(Math.min(100, left));
      await turn();
    }
  };
  return { analysis, way, clock, log, pass };
}
