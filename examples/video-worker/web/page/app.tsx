import { effect } from "@preact/signals";
import { render } from "preact";
import type { AnalysisState } from "../../../../src/domain/analysis-state.ts";
import {
  analysis,
  analysisId,
  connection,
  followTime,
  moving,
  over,
} from "../../../../src/web/page/watched-analysis.ts";
import { percent } from "../../../../src/web/words/percent.ts";
import { CancelButton } from "./cancelling.tsx";
import { ConnectionPill } from "./connection-pill.tsx";
import { DropZone } from "./drop-zone.tsx";
import { type FailedState, Failure, Refusal } from "./failure.tsx";
import { Answer, Cancelled } from "./other-ends.tsx";
import { followAddress, startOver } from "./page-state.ts";
import { Player } from "./player.tsx";
import { ProgressCard } from "./progress-card.tsx";
import { type Region, regionsOf } from "./region.ts";
import { Verdict } from "./verdict.tsx";

function App() {
  const id = analysisId.value;
  return (
    <>
      <header class="top">
        <a class="brand" href="/">
          <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
            <rect width="32" height="32" rx="8" fill="currentColor" />
            <path d="M12 9l12 7-12 7z" fill="var(--ground)" />
          </svg>
          Video check
        </a>
        {id === undefined ? null : <ConnectionPill />}
      </header>
      <main>{id === undefined ? <DropZone /> : <Analysis id={id} />}</main>
    </>
  );
}

function Analysis({ id }: { readonly id: string }) {
  const state = analysis.value;
  const status = connection.value;
  if (status.status === "refused" && state === undefined) {
    return <Refusal code={status.code} reason={status.reason} />;
  }
  if (hasFailed(state)) return <Failure state={state} />;
  const result = state?.result ?? null;
  const regions = result?.event_type === "result_update" ? regionsOf(result) : [];
  return (
    <div class="columns">
      <Player analysisId={id} regions={regions} />
      <div class="side">
        <Side state={state} regions={regions} />
        {over.value ? null : <CancelButton id={id} state={state} />}
        {result === null && state?.status !== "cancelled" ? null : (
          <button type="button" class="button" onClick={startOver}>
            Check another video
          </button>
        )}
      </div>
    </div>
  );
}

/** The progress of the analysis, or how it ended. */
function Side({
  state,
  regions,
}: {
  readonly state: AnalysisState | undefined;
  readonly regions: readonly Region[];
}) {
  if (state?.status === "cancelled") return <Cancelled state={state} />;
  const result = state?.result ?? null;
  if (result === null) return <ProgressCard state={state} />;
  if (result.event_type === "result") return <Answer result={result} />;
  return <Verdict result={result} regions={regions} />;
}

function hasFailed(state: AnalysisState | undefined): state is FailedState {
  return state !== undefined && state.error !== null;
}

effect(() => {
  const state = analysis.value;
  document.title =
    state !== undefined && moving.value ? `${percent(state.progress ?? 0)} · Video check` : "Video check";
});

followTime();
followAddress();
render(<App />, document.getElementById("app") as HTMLElement);
