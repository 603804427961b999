import { failureDetails } from "../words/failure-details.ts";
import type { AnalysisView } from "./analysis-view.ts";
import { percent } from "./format.ts";
import { CrossIcon } from "./icons.tsx";
import { Bar, Counted, Elapsed } from "./progress.tsx";

/** Why the analysis failed: in words first, and last the part that only its makers can read. */
export function Failed({ analysis }: { analysis: AnalysisView }) {
  const { said, issues, rest } = failureDetails(analysis.error?.details ?? {});
  const code = analysis.error?.code;
  return (
    <div class="card overview overview--bad">
      <div class="overview__head">
        <div data-testid="verdict" data-verdict="failed">
          <p class="label">No verdict</p>
          <h2 class="overview__title overview__title--verdict">
            <CrossIcon />
            <span data-testid="stage">The analysis failed</span>
          </h2>
        </div>
        <p class="overview__figure">
          {percent(analysis.progress, 0)}
          <span class="overview__unit">done</span>
        </p>
      </div>
      <Bar progress={analysis.progress} tone="bad" />
      <p class="overview__message" data-testid="message">
        {analysis.error?.message ?? analysis.message}
      </p>
      {issues.length > 0 && (
        <ul class="issues" aria-label="What was wrong">
          {issues.map((issue, index) => (
            <li key={`${index}-${issue}`}>{issue}</li>
          ))}
        </ul>
      )}
      <dl class="facts">
        <Counted analysis={analysis} />
        <Elapsed analysis={analysis} />
        {said.map(({ label, value }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {(code !== undefined || rest !== undefined) && (
        <div class="technical">
          {code !== undefined && (
            <p>
              Code <code data-testid="error-code">{code}</code>
            </p>
          )}
          {rest !== undefined && (
            <details>
              <summary>More details</summary>
              <pre>{rest}</pre>
            </details>
          )}
        </div>
      )}
    </div>
  );
}
