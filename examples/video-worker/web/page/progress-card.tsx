import type { AnalysisState } from "../../../../src/domain/analysis-state.ts";
import { asOf, connection, moving, now, over, trouble } from "../../../../src/web/page/watched-analysis.ts";
import { countWords } from "../../../../src/web/words/count-words.ts";
import { TROUBLE_WORDS } from "../../../../src/web/words/gateway-trouble.ts";
import { percent } from "../../../../src/web/words/percent.ts";
import { stepsOf } from "../../../../src/web/words/stage-steps.ts";
import { timeElapsed, timeInStage } from "../../../../src/web/words/stage-times.ts";
import { duration, durationSoFar, timeInSeconds } from "../../../../src/web/words/times.ts";
import { remaining, stageLabel, WORK_STAGES } from "./format.ts";

/** Stage, bar, message and what is left, as the worker tells them. */
export function ProgressCard({ state }: { readonly state: AnalysisState | undefined }) {
  const progress = state?.status === "completed" ? 1 : (state?.progress ?? 0);
  // A guess counts while work is seen to go on, and until it has proved wrong.
  const left = moving.value ? remaining(state?.estimated_completion ?? null, now.value) : undefined;
  const counts = state === undefined ? undefined : countWords(state);
  const since = state === undefined ? undefined : timeElapsed(state, asOf.value);
  return (
    <section class="card progress" aria-label="Progress">
      <header class="row">
        <h2 data-testid="stage" aria-live="polite">
          {state === undefined ? beforeNews() : stageLabel(state.current_stage)}
        </h2>
        <p class="progress__share">
          <b>{percent(progress)}</b> done
        </p>
      </header>
      <div
        class="bar"
        role="progressbar"
        aria-label="Analysis"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(progress * 100)}
        data-testid="progress"
      >
        <span style={{ width: `${progress * 100}%` }} />
      </div>
      <p class="row progress__message">
        <span>
          {state?.message ?? (connection.value.status === "live" ? "The file is in the queue." : "")}
        </span>
        <span class="progress__left" data-testid="eta">
          {left}
        </span>
      </p>
      <Silence state={state} />
      {counts === undefined ? null : (
        <p class="progress__elapsed">
          So far: <span data-testid="counts">{counts}</span>
        </p>
      )}
      {since === undefined ? null : (
        <p class="progress__elapsed">
          Elapsed: <span data-testid="elapsed">{durationSoFar(since)}</span>
        </p>
      )}
      <Steps state={state} />
    </section>
  );
}

function beforeNews(): string {
  if (trouble.value === "broker_away") return "No news";
  if (connection.value.status === "live") return "Waiting for a worker";
  return connection.value.status === "waiting" ? "No connection" : "Connecting";
}

/** Says why nothing comes from the worker. If the link is down, it says only that. */
function Silence({ state }: { readonly state: AnalysisState | undefined }) {
  const { status } = connection.value;
  if (trouble.value === "broker_away") {
    return (
      <p class="hint" data-testid="broker-away">
        {TROUBLE_WORDS.broker_away.toDo}
      </p>
    );
  }
  if (status === "waiting") {
    return (
      <p class="hint" data-testid="link-down">
        {state === undefined
          ? `${TROUBLE_WORDS[trouble.value ?? "unreachable"].title}. ${TROUBLE_WORDS[trouble.value ?? "unreachable"].toDo}`
          : "The connection is down, so this may be out of date. It is brought up to date on reconnecting."}
      </p>
    );
  }
  if (state?.status !== "stalled" || status !== "live") return null;
  return (
    <p class="hint" data-testid="quiet">
      No news from the worker since {timeInSeconds(Date.parse(state.updated_at ?? ""))}. It may be busy, or
      gone.
    </p>
  );
}

function Steps({ state }: { readonly state: AnalysisState | undefined }) {
  const seen = state?.stages.map(({ stage }) => stage) ?? [];
  const steps = stepsOf({ seen, status: state?.status ?? "unknown" }, WORK_STAGES);
  const timeOf = (name: string) => {
    const time = state === undefined ? undefined : timeInStage(state, name, asOf.value);
    if (time === undefined) return "";
    return name === state?.current_stage && !over.value ? durationSoFar(time) : duration(time);
  };
  return (
    <ol class="steps">
      {steps.map(({ stage, mark }) => (
        <li
          key={stage}
          data-stage={stage}
          data-kind={mark === "current" ? "now" : mark}
          aria-current={mark === "current" ? "step" : undefined}
        >
          {stageLabel(stage)}
          <span class="steps__time">{timeOf(stage)}</span>
        </li>
      ))}
    </ol>
  );
}
