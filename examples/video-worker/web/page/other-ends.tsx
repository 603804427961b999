import type { DataResult } from "../../../../src/domain/analysis-event.ts";
import type { AnalysisState } from "../../../../src/domain/analysis-state.ts";
import { SaidFacts } from "../../../../src/web/parts/facts.tsx";
import { TechnicalData } from "../../../../src/web/parts/technical.tsx";
import { countWords } from "../../../../src/web/words/count-words.ts";
import { dataDetails } from "../../../../src/web/words/data-details.ts";
import { percent } from "../../../../src/web/words/percent.ts";
import { timeInSeconds } from "../../../../src/web/words/times.ts";

/** A cancelled analysis. */
export function Cancelled({ state }: { readonly state: AnalysisState }) {
  const { cancelled_by: request } = state;
  const counts = countWords(state);
  return (
    <section class="card verdict" data-testid="cancelled" aria-label="Cancelled">
      <h2>The analysis was cancelled</h2>
      <p class="verdict__facts">{state.message}</p>
      {request && (
        <p class="verdict__facts" data-testid="cancelled-by">
          Requested at {timeInSeconds(Date.parse(request.requested_at))}
          {request.reason === null ? "" : `: ${request.reason}`}
        </p>
      )}
      <p class="verdict__facts">
        It had come to {percent(state.progress ?? 0)} of the whole
        {counts === undefined ? "" : `, ${counts}`}.
      </p>
    </section>
  );
}

/** A result that is no verdict on a video, as another worker sends it. */
export function Answer({ result }: { readonly result: DataResult }) {
  const { said, rest } = dataDetails(result.data);
  const summary = result.summary?.trim() ?? "";
  return (
    <section class="card verdict" data-testid="result" aria-label="Result">
      <h2>{summary === "" ? "The analysis is done" : summary}</h2>
      {said.length === 0 ? null : (
        <dl class="facts">
          <SaidFacts said={said} />
        </dl>
      )}
      <TechnicalData rest={rest} isAll={said.length === 0} />
    </section>
  );
}
