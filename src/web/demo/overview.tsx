import { TROUBLE_WORDS } from "../words/gateway-trouble.ts";
import type { AnalysisView, Verdict } from "./analysis-view.ts";
import { Answered } from "./answered.tsx";
import { CancelledCard } from "./cancelled-card.tsx";
import { Cancelling } from "./cancelling.tsx";
import { Failed } from "./failed.tsx";
import { duration, percent, remaining, shortHash, timeInSeconds } from "./format.ts";
import { AlertIcon, ShieldIcon } from "./icons.tsx";
import { Refused, Unknown, Waiting } from "./nothing-yet.tsx";
import { analysisId, connection, moving, now, trouble, unknown, view } from "./page-state.ts";
import { Bar, Counted, Elapsed } from "./progress.tsx";
import { stageIndex, stageLabel, WORKING_STAGES } from "./stage-labels.ts";

/** The analysis at a glance: its progress, or its outcome. */
export function Overview() {
  const current = view.value;
  const status = connection.value;
  if (status.kind === "refused" && current === undefined) return <Refused {...status} />;
  // Without its broker the gateway cannot know whether it has heard of it.
  if (current === undefined && trouble.value === "broker_away") return <Waiting />;
  if (unknown.value) return <Unknown />;
  if (current === undefined) return <Waiting />;
  if (current.status === "failed") return <Failed analysis={current} />;
  if (current.status === "cancelled") return <CancelledCard analysis={current} />;
  if (current.result !== undefined) return <Decided analysis={current} verdict={current.result} />;
  if (current.data !== undefined) return <Answered analysis={current} result={current.data} />;
  return <Running analysis={current} />;
}

function Running({ analysis }: { analysis: AnalysisView }) {
  const completed = analysis.status === "completed";
  const queued = analysis.status === "queued";
  return (
    <div class="card overview">
      <div class="overview__head">
        <div>
          <p class="label">{completed ? "Done" : queued ? "Waiting for a worker" : placeOf(analysis)}</p>
          <h2 class="overview__title" data-testid="stage">
            {stageLabel(analysis.stage)}
          </h2>
        </div>
        <p class="overview__figure">
          {percent(analysis.progress, 0)}
          <span class="overview__unit">done</span>
        </p>
      </div>
      <Bar progress={analysis.progress} tone="accent" />
      <p class="overview__message" data-testid="message">
        {analysis.message}
      </p>
      <dl class="facts">
        <Counted analysis={analysis} />
        {!completed && !queued && (
          <div>
            <dt>Time left</dt>
            <dd data-testid="eta">{timeLeft(analysis) ?? "not known"}</dd>
          </div>
        )}
        <Elapsed analysis={analysis} />
      </dl>
      {!completed && <Quiet analysis={analysis} />}
      {!completed && <Cancelling key={analysisId.value} analysis={analysis} />}
    </div>
  );
}

/** Says where it is on the way, if the page knows the way. */
function placeOf({ stage }: AnalysisView): string {
  const index = stageIndex(stage);
  return index < 0 ? "Under way" : `Stage ${index + 1} of ${WORKING_STAGES.length}`;
}

function Decided({ analysis, verdict }: { analysis: AnalysisView; verdict: Verdict }) {
  const tone = verdict.isFake ? "bad" : "good";
  const regions = verdict.regions.length;
  return (
    <div class={`card overview overview--${tone}`}>
      <div class="overview__head">
        <div data-testid="verdict" data-verdict={verdict.isFake ? "fake" : "authentic"}>
          <p class="label">Verdict</p>
          <h2 class="overview__title overview__title--verdict">
            {verdict.isFake ? <AlertIcon /> : <ShieldIcon />}
            {verdict.isFake ? "Manipulated" : "Authentic"}
          </h2>
        </div>
        <p class="overview__figure">
          {percent(verdict.confidence)}
          <span class="overview__unit">confidence</span>
        </p>
      </div>
      <Bar progress={analysis.progress} tone={tone} />
      <p class="overview__message" data-testid="message">
        {regions === 0
          ? "No suspicious regions were found."
          : `${regions} suspicious ${regions === 1 ? "region" : "regions"} found.`}
      </p>
      <dl class="facts">
        <div>
          <dt>Frames examined</dt>
          <dd>
            {verdict.framesProcessed} of {verdict.totalFrames}
          </dd>
        </div>
        {verdict.processingTimeMs > 0 ? (
          <div>
            <dt>Took</dt>
            <dd>{duration(verdict.processingTimeMs)}</dd>
          </div>
        ) : (
          // The worker left it out.
          <Elapsed analysis={analysis} />
        )}
        {verdict.hash !== null && (
          <div>
            <dt>Recorded as</dt>
            <dd class="mono" title={verdict.hash}>
              {shortHash(verdict.hash)}
            </dd>
          </div>
        )}
      </dl>
      <p class="unseen" data-testid="stage">
        {stageLabel("completed")}
      </p>
    </div>
  );
}

/** A guess counts while work is seen to go on, and until it has proved wrong. */
function timeLeft({ estimatedCompletion }: AnalysisView): string | undefined {
  return moving.value ? remaining(estimatedCompletion, now.value) : undefined;
}

function Quiet({ analysis }: { analysis: AnalysisView }) {
  if (connection.value.kind !== "live") {
    return (
      <p class="hint hint--warn" data-testid="link-down">
        The connection is down, so this may be out of date: it is how things stood at{" "}
        {timeInSeconds(analysis.updatedAt)}. It is brought up to date on reconnecting.
      </p>
    );
  }
  if (trouble.value === "broker_away") {
    return (
      <p class="hint hint--warn" data-testid="broker-away">
        {TROUBLE_WORDS.broker_away.toDo} This is how things stood at {timeInSeconds(analysis.updatedAt)}.
      </p>
    );
  }
  if (analysis.status !== "stalled") return null;
  return (
    <p class="hint hint--warn" data-testid="quiet">
      No news from the worker since {timeInSeconds(analysis.updatedAt)}. It may be busy, or gone.
    </p>
  );
}
