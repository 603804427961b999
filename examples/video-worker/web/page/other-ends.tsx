import type { DataResult } from "../../../../src/domain/analysis-event.ts";
import type { AnalysisState } from "../../../../src/domain/analysis-state.ts";
import { countWords } from "../../../../src/web/words/count-words.ts";
import { dataDetails } from "../../../../src/web/words/data-details.ts";
import { percent } from "./format.ts";

/** Somebody has stopped the analysis. */
export function Cancelled({ state }: { readonly state: AnalysisState }) {
  const counts = countWords(state);
  return (
    <section class="card verdict" data-testid="cancelled" aria-label="Cancelled">
      <h2>The analysis was cancelled</h2>
      <p class="verdict__facts">{state.message}</p>
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
          {said.map(({ label, value }) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {rest === undefined ? null : (
        <details class="failure__code" open={said.length === 0}>
          <summary>{said.length === 0 ? "The data" : "More of the data"}</summary>
          <pre>{rest}</pre>
        </details>
      )}
    </section>
  );
}
