import type { AnalysisState } from "../../domain/analysis-state.ts";
import { analysis, analysisId, connection, moving, now, trouble, unknown } from "../page/watched-analysis.ts";
import { Fact } from "../parts/facts.tsx";
import { TROUBLE_WORDS } from "../words/gateway-trouble.ts";
import { timeInSeconds } from "../words/times.ts";
import { Cancelling } from "./cancelling.tsx";
import { Answered, Cancelled, Decided, Failed } from "./ends.tsx";
import { remaining } from "./format.ts";
import { Refused, Unknown, Waiting } from "./nothing-yet.tsx";
import { OutcomeCard } from "./outcome-card.tsx";
import { isVideo } from "./page-state.ts";
import { Counted, doneOf, Elapsed } from "./progress.tsx";
import { stageIndex, stageLabel, WORKING_STAGES } from "./stage-labels.ts";

/** The analysis at a glance: its progress, or its outcome. */
export function Overview() {
  const current = analysis.value;
  const status = connection.value;
  if (current === undefined) {
    if (status.status === "refused") return <Refused {...status} />;
    // Without its broker the gateway cannot know whether it has heard of it.
    return unknown.value && trouble.value !== "broker_away" ? <Unknown /> : <Waiting />;
  }
  const { result, error } = current;
  if (error !== null) return <Failed analysis={current} error={error} />;
  if (current.status === "cancelled") return <Cancelled analysis={current} />;
  if (result?.event_type === "result_update") return <Decided analysis={current} result={result} />;
  if (result?.event_type === "result") return <Answered analysis={current} result={result} />;
  return <Running analysis={current} />;
}

function Running({ analysis }: { analysis: AnalysisState }) {
  const completed = analysis.status === "completed";
  const queued = analysis.status === "queued";
  return (
    <OutcomeCard
      tone="accent"
      label={completed ? "Done" : queued ? "Waiting for a worker" : placeOf(analysis)}
      title={<span data-testid="stage">{stageLabel(analysis.current_stage)}</span>}
      done={doneOf(analysis)}
      message={analysis.message}
    >
      <dl class="facts">
        <Counted analysis={analysis} />
        {!completed && !queued && (
          <Fact name="Time left" testId="eta">
            {timeLeft(analysis) ?? "not known"}
          </Fact>
        )}
        <Elapsed analysis={analysis} />
      </dl>
      {!completed && <Quiet analysis={analysis} />}
      {!completed && <Cancelling key={analysisId.value} request={analysis.cancel_requested} />}
    </OutcomeCard>
  );
}

/** Says where it is on the way, if the page knows the way. */
function placeOf({ current_stage: stage }: AnalysisState): string {
  const index = stageIndex(stage);
  return index < 0 || !isVideo.value ? "Under way" : `Stage ${index + 1} of ${WORKING_STAGES.length}`;
}

/** A guess counts while work is seen to go on, and until it has proved wrong. */
function timeLeft({ estimated_completion }: AnalysisState): string | undefined {
  return moving.value ? remaining(estimated_completion, now.value) : undefined;
}

function Quiet({ analysis: { status, updated_at } }: { analysis: AnalysisState }) {
  const since = timeInSeconds(Date.parse(updated_at ?? ""));
  if (trouble.value === "broker_away") {
    return (
      <p class="hint hint--warn" data-testid="broker-away">
        {TROUBLE_WORDS.broker_away.toDo} This is how things stood at {since}.
      </p>
    );
  }
  if (connection.value.status !== "live") {
    return (
      <p class="hint hint--warn" data-testid="link-down">
        The connection is down, so this may be out of date: it is how things stood at {since}. It is brought
        up to date on reconnecting.
      </p>
    );
  }
  if (status !== "stalled") return null;
  return (
    <p class="hint hint--warn" data-testid="quiet">
      No news from the worker since {since}. It may be busy, or gone.
    </p>
  );
}
