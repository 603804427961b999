import type { AnalysisView } from "./analysis-view.ts";
import { percent } from "./format.ts";
import { CrossIcon } from "./icons.tsx";
import { Bar, Counted, Elapsed } from "./progress.tsx";

/** Somebody has stopped the analysis: how far it had come. */
export function CancelledCard({ analysis }: { analysis: AnalysisView }) {
  return (
    <div class="card overview overview--still">
      <div class="overview__head">
        <div data-testid="cancelled">
          <p class="label">No verdict</p>
          <h2 class="overview__title overview__title--verdict">
            <CrossIcon />
            <span data-testid="stage">The analysis was cancelled</span>
          </h2>
        </div>
        <p class="overview__figure">
          {percent(analysis.progress, 0)}
          <span class="overview__unit">done</span>
        </p>
      </div>
      <Bar progress={analysis.progress} tone="still" />
      <p class="overview__message" data-testid="message">
        {analysis.message}
      </p>
      <dl class="facts">
        <Counted analysis={analysis} />
        <Elapsed analysis={analysis} />
      </dl>
    </div>
  );
}
