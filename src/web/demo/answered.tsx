import type { DataResult } from "../../domain/analysis-event.ts";
import { dataDetails } from "../words/data-details.ts";
import type { AnalysisView } from "./analysis-view.ts";
import { percent } from "./format.ts";
import { CheckIcon } from "./icons.tsx";
import { Bar, Elapsed } from "./progress.tsx";

/** A result that is no verdict on a video: its summary, and its data in words as far as they go. */
export function Answered({ analysis, result }: { analysis: AnalysisView; result: DataResult }) {
  const { said, rest } = dataDetails(result.data);
  const summary = result.summary?.trim() ?? "";
  return (
    <div class="card overview overview--good">
      <div class="overview__head">
        <div data-testid="result">
          <p class="label">Result</p>
          <h2 class="overview__title overview__title--verdict">
            <CheckIcon />
            {summary === "" ? "The analysis is done" : summary}
          </h2>
        </div>
        <p class="overview__figure">
          {percent(1, 0)}
          <span class="overview__unit">done</span>
        </p>
      </div>
      <Bar progress={1} tone="good" />
      <dl class="facts">
        {said.map(({ label, value }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <Elapsed analysis={analysis} />
      </dl>
      {rest !== undefined && (
        <div class="technical">
          <details open={said.length === 0}>
            <summary>{said.length === 0 ? "The data" : "More of the data"}</summary>
            <pre data-testid="data">{rest}</pre>
          </details>
        </div>
      )}
    </div>
  );
}
