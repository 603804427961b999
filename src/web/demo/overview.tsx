import { closeCodeOf } from "../../domain/close-code.ts";
import type { AnalysisView, Verdict } from "./analysis-view.ts";
import { clockTime, duration, percent, remaining, shortHash } from "./format.ts";
import { AlertIcon, CrossIcon, ShieldIcon } from "./icons.tsx";
import { connection, now, unknown, view } from "./page-state.ts";
import { stageIndex, stageLabel, WORKING_STAGES } from "./stage-labels.ts";

/** After so long without news a person wonders; the worker may still be busy. */
const QUIET_MS = 15_000;

/** The analysis at a glance: where it is, or what came of it. */
export function Overview() {
  const current = view.value;
  const status = connection.value;
  if (status.kind === "refused" && current === undefined) return <Refused {...status} />;
  if (unknown.value) return <Unknown />;
  if (current === undefined) return <Waiting />;
  if (current.status === "failed") return <Failed analysis={current} />;
  if (current.result !== undefined) return <Decided analysis={current} verdict={current.result} />;
  return <Running analysis={current} />;
}

function Running({ analysis }: { analysis: AnalysisView }) {
  const index = stageIndex(analysis.stage);
  const completed = analysis.status === "completed";
  return (
    <div class="card overview">
      <div class="overview__head">
        <div>
          <p class="label">
            {completed ? "Done" : index < 0 ? "Under way" : `Stage ${index + 1} of ${WORKING_STAGES.length}`}
          </p>
          <h2 class="overview__title" data-testid="stage">
            {stageLabel(analysis.stage)}
          </h2>
        </div>
        <p class="overview__figure">{percent(analysis.progress, 0)}</p>
      </div>
      <Bar progress={analysis.progress} tone="accent" />
      <p class="overview__message" data-testid="message">
        {analysis.message}
      </p>
      <dl class="facts">
        {!completed && (
          <div>
            <dt>Time left</dt>
            <dd data-testid="eta">{remaining(analysis.estimatedCompletion, now.value)}</dd>
          </div>
        )}
        <Elapsed analysis={analysis} />
      </dl>
      {!completed && <Quiet analysis={analysis} />}
    </div>
  );
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
        <div>
          <dt>Took</dt>
          <dd>{duration(verdict.processingTimeMs)}</dd>
        </div>
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

function Failed({ analysis }: { analysis: AnalysisView }) {
  return (
    <div class="card overview overview--bad">
      <div class="overview__head">
        <div data-testid="verdict" data-verdict="failed">
          <p class="label">{analysis.error?.code ?? "No verdict"}</p>
          <h2 class="overview__title overview__title--verdict">
            <CrossIcon />
            <span data-testid="stage">The analysis failed</span>
          </h2>
        </div>
        <p class="overview__figure">{percent(analysis.progress, 0)}</p>
      </div>
      <Bar progress={analysis.progress} tone="bad" />
      <p class="overview__message" data-testid="message">
        {analysis.error?.message ?? analysis.message}
      </p>
      <dl class="facts">
        <Elapsed analysis={analysis} />
        {Object.entries(analysis.error?.details ?? {}).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="mono">{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Bar({ progress, tone }: { progress: number; tone: "accent" | "good" | "bad" }) {
  const whole = Math.round(progress * 100);
  return (
    <div
      class={`bar bar--${tone}`}
      role="progressbar"
      aria-label="Progress of the analysis"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={whole}
      data-testid="progress"
    >
      <div class="bar__fill" style={{ transform: `translateX(${(progress - 1) * 100}%)` }} />
    </div>
  );
}

function Elapsed({ analysis }: { analysis: AnalysisView }) {
  if (analysis.startedAt === undefined) return null;
  const end = analysis.endedAt ?? now.value;
  return (
    <div>
      <dt>{analysis.endedAt === undefined ? "Elapsed" : "Ran for"}</dt>
      <dd data-testid="elapsed">{clockTime(end - analysis.startedAt)}</dd>
    </div>
  );
}

function Quiet({ analysis }: { analysis: AnalysisView }) {
  const silentFor = now.value - analysis.updatedAt;
  if (connection.value.kind !== "live") {
    return (
      <p class="hint hint--warn">
        This is the last that was heard. It is brought up to date on reconnecting.
      </p>
    );
  }
  if (silentFor < QUIET_MS) return null;
  return (
    <p class="hint hint--warn" data-testid="quiet">
      No news from the worker for {duration(silentFor - (silentFor % 1000))}. It may be busy, or gone.
    </p>
  );
}

function Waiting() {
  return (
    <div class="card overview">
      <Heading label="One moment">
        {connection.value.kind === "live" ? "Waiting for the worker" : "Connecting to the gateway"}
      </Heading>
      <Bar progress={0} tone="accent" />
    </div>
  );
}

function Unknown() {
  return (
    <div class="card overview" data-testid="unknown">
      <Heading label="Nothing is known">The gateway has not heard of this analysis</Heading>
      <p class="overview__message">
        Either its worker has not said anything yet, or the gateway has forgotten it: with the in-memory
        broker, everything is gone when the gateway restarts. The page keeps listening; you can also start
        another.
      </p>
    </div>
  );
}

function Refused({ code, reason }: { code: number; reason: string }) {
  return (
    <div class="card overview" data-testid="refused">
      <Heading label={`Refused, ${code}`}>The gateway does not show this analysis</Heading>
      <p class="overview__message">
        It says: {closeCodeOf(code)?.meaning ?? reason}. Check the link, or start an analysis of your own.
      </p>
    </div>
  );
}

function Heading({ label, children }: { label: string; children: string }) {
  return (
    <div>
      <p class="label">{label}</p>
      <h2 class="overview__title" data-testid="stage">
        {children}
      </h2>
    </div>
  );
}
