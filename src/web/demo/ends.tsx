import type { DataResult, ResultUpdate } from "../../domain/analysis-event.ts";
import type { AnalysisState } from "../../domain/analysis-state.ts";
import { Fact, SaidFacts } from "../parts/facts.tsx";
import { Issues, TechnicalData, TechnicalFailure } from "../parts/technical.tsx";
import { dataDetails } from "../words/data-details.ts";
import { failureDetails, failureOf } from "../words/failure-details.ts";
import { duration } from "../words/times.ts";
import { cancelWords } from "./cancel-words.ts";
import { shortHash } from "./format.ts";
import { AlertIcon, CheckIcon, CrossIcon, ShieldIcon } from "./icons.tsx";
import { OutcomeCard } from "./outcome-card.tsx";
import { Counted, doneOf, Elapsed } from "./progress.tsx";
import { stageLabel } from "./stage-labels.ts";

interface Ended {
  readonly analysis: AnalysisState;
}

/** A verdict on a video. */
export function Decided({ analysis, result }: Ended & { readonly result: ResultUpdate }) {
  const regions = result.suspicious_regions.length;
  const found = `${regions} suspicious ${regions === 1 ? "region" : "regions"} found.`;
  const { processing_time_ms: tookMs, blockchain_hash: hash } = result;
  return (
    <OutcomeCard
      tone={result.is_fake ? "bad" : "good"}
      label="Verdict"
      testId="verdict"
      verdict={result.is_fake ? "fake" : "authentic"}
      title={
        <>
          {result.is_fake ? <AlertIcon /> : <ShieldIcon />}
          {result.is_fake ? "Manipulated" : "Authentic"}
        </>
      }
      done={doneOf(analysis)}
      figure={{ share: result.confidence_score, unit: "confidence", digits: 1 }}
      message={regions === 0 ? "No suspicious regions were found." : found}
    >
      <dl class="facts">
        <Fact name="Frames examined">
          {result.frames_processed} of {result.total_frames}
        </Fact>
        {tookMs > 0 ? <Fact name="Took">{duration(tookMs)}</Fact> : <Elapsed analysis={analysis} />}
        {hash !== null && (
          <Fact name="Recorded as" mono title={hash}>
            {shortHash(hash)}
          </Fact>
        )}
      </dl>
      <p class="unseen" data-testid="stage">
        {stageLabel("completed")}
      </p>
    </OutcomeCard>
  );
}

/** A result that is no verdict on a video: its summary, and its data in words as far as they go. */
export function Answered({ analysis, result }: Ended & { readonly result: DataResult }) {
  const { said, rest } = dataDetails(result.data);
  const summary = result.summary?.trim() ?? "";
  return (
    <OutcomeCard
      tone="good"
      label="Result"
      testId="result"
      title={
        <>
          <CheckIcon />
          {summary === "" ? "The analysis is done" : summary}
        </>
      }
      done={1}
    >
      <dl class="facts">
        <SaidFacts said={said} />
        <Elapsed analysis={analysis} />
      </dl>
      <TechnicalData rest={rest} isAll={said.length === 0} />
    </OutcomeCard>
  );
}

/** Why the analysis failed: in words first, and last the part that only its makers can read. */
export function Failed({ analysis, error }: Ended & { readonly error: NonNullable<AnalysisState["error"]> }) {
  const { code, message, details } = failureOf(error);
  const { said, issues, rest } = failureDetails(details);
  return (
    <OutcomeCard
      tone="bad"
      label="No result"
      testId="verdict"
      verdict="failed"
      title={
        <>
          <CrossIcon />
          <span data-testid="stage">The analysis failed</span>
        </>
      }
      done={doneOf(analysis)}
      message={message}
    >
      <Issues issues={issues} />
      <dl class="facts">
        <Counted analysis={analysis} />
        <Elapsed analysis={analysis} />
        <SaidFacts said={said} />
      </dl>
      <TechnicalFailure code={code} rest={rest} />
    </OutcomeCard>
  );
}

/** A cancelled analysis: how far it had come, and who had asked for it. */
export function Cancelled({ analysis }: Ended) {
  const { cancelled_by: request } = analysis;
  return (
    <OutcomeCard
      tone="still"
      label="No result"
      testId="cancelled"
      title={
        <>
          <CrossIcon />
          <span data-testid="stage">The analysis was cancelled</span>
        </>
      }
      done={doneOf(analysis)}
      message={analysis.message}
    >
      {request && (
        <p class="hint hint--plain" data-testid="cancelled-by">
          Requested {cancelWords(request)}
        </p>
      )}
      <dl class="facts">
        <Counted analysis={analysis} />
        <Elapsed analysis={analysis} />
      </dl>
    </OutcomeCard>
  );
}
