import type { ResultUpdate } from "../../../../src/domain/analysis-event.ts";
import { Fact } from "../../../../src/web/parts/facts.tsx";
import { percent } from "../../../../src/web/words/percent.ts";
import { timecode } from "./format.ts";
import { position, seekTo } from "./player.tsx";
import { isShownAt, type Region } from "./region.ts";

export function Verdict({
  result,
  regions,
}: {
  readonly result: ResultUpdate;
  readonly regions: readonly Region[];
}) {
  // The contract's number says how sure the verdict is, whichever it is; people ask how suspicious the video is.
  const suspicion = result.is_fake ? result.confidence_score : 1 - result.confidence_score;
  return (
    <section
      class="card verdict"
      data-conspicuous={result.is_fake}
      data-testid="verdict"
      aria-label="Verdict"
    >
      <header>
        <h2>{result.is_fake ? "Conspicuous" : "Nothing conspicuous"}</h2>
        <div class="bar" aria-hidden="true">
          <span style={{ width: `${suspicion * 100}%` }} />
        </div>
        <dl class="facts">
          <Fact name="Suspicion" testId="suspicion">
            {percent(suspicion)}
          </Fact>
          <Fact name="Confidence in this verdict" testId="confidence">
            {percent(result.confidence_score)}
          </Fact>
        </dl>
      </header>
      <p class="verdict__facts">
        {result.frames_processed.toLocaleString("en")} frames measured in{" "}
        {(result.processing_time_ms / 1000).toFixed(1)} s. Example rules, no deep-fake detector.
      </p>
      {regions.length === 0 ? (
        <p class="verdict__none">No black or frozen stretches, cuts, blur or blocks were found.</p>
      ) : (
        <ul class="findings" data-testid="findings">
          {regions.map((region) => (
            <Finding key={region.key} region={region} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Finding({ region }: { readonly region: Region }) {
  const frames =
    region.frame === region.lastFrame
      ? `frame ${region.frame}`
      : `frames ${region.frame}–${region.lastFrame}`;
  return (
    <li>
      <button
        type="button"
        class="finding"
        data-type={region.type}
        aria-pressed={isShownAt(region, position.value)}
        onClick={() => seekTo(region)}
      >
        <span class="finding__swatch" aria-hidden="true" />
        <span class="finding__what">
          <b>{region.label}</b>
          <small>{frames}</small>
        </span>
        <span class="finding__when">{timecode(region.start, true)}</span>
        <span class="finding__sure">
          {percent(region.confidence)}
          <small>confidence</small>
        </span>
      </button>
    </li>
  );
}
