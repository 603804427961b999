import { words } from "../words/failure-details.ts";
import { type AnalysisView, isOver, type Region } from "./analysis-view.ts";
import { chosenRegion } from "./chosen-region.ts";
import { percent } from "./format.ts";
import { LandmarkMesh } from "./landmark-mesh.tsx";
import { moving, view } from "./page-state.ts";
import { Portrait, PortraitPaints } from "./portrait.tsx";
import { stageIndex } from "./stage-labels.ts";

/** The frame under examination: the work on it, and in the end the regions that the worker found. */
export function Frame() {
  const analysis = view.value;
  const verdict = analysis?.result;
  const regions = verdict?.regions ?? [];
  const chosen = regions[Math.min(chosenRegion.value, regions.length - 1)];
  return (
    <figure class="card frame">
      <div class="frame__picture">
        <svg viewBox="0 0 1600 900" role="img" aria-label={describe(analysis)}>
          <PortraitPaints />
          <Portrait />
          {showsMesh(analysis) && <LandmarkMesh />}
          <rect width="1600" height="900" fill="url(#vignette)" />
        </svg>
        {moving.value && <div class="frame__scan" aria-hidden="true" />}
        {regions.map((region, index) => (
          <RegionBox
            key={`${region.frameNumber}-${region.type}-${index}`}
            region={region}
            number={index + 1}
            chosen={region === chosen}
            sameFrame={region.frameNumber === chosen?.frameNumber}
            choose={() => {
              chosenRegion.value = index;
            }}
          />
        ))}
        {chosen !== undefined && (
          <p class="frame__hud">
            <span>FRAME {chosen.frameNumber}</span>
            {chosen.timecode !== undefined && <span>{chosen.timecode}</span>}
          </p>
        )}
      </div>
      {verdict !== undefined && regions.length > 0 && (
        <Scrubber regions={regions} chosen={chosen} totalFrames={verdict.totalFrames} />
      )}
      <figcaption class="frame__caption">
        An illustration: the gateway passes events on, not the video.
      </figcaption>
    </figure>
  );
}

function RegionBox(props: {
  region: Region;
  number: number;
  chosen: boolean;
  sameFrame: boolean;
  choose: () => void;
}) {
  const { region, number, chosen, sameFrame, choose } = props;
  const state = chosen ? "chosen" : sameFrame ? "here" : "elsewhere";
  return (
    <button
      type="button"
      class={`box box--${state}`}
      data-testid="region-box"
      style={{
        left: `${region.x * 100}%`,
        top: `${region.y * 100}%`,
        width: `${region.width * 100}%`,
        height: `${region.height * 100}%`,
      }}
      aria-label={`Region ${number}: ${words(region.type)}, frame ${region.frameNumber}, confidence ${percent(region.confidence, 0)}`}
      aria-pressed={chosen}
      onClick={choose}
    >
      <span class="box__tag" aria-hidden="true">
        {number}
        {chosen && (
          <span class="box__words">
            {words(region.type)} {percent(region.confidence, 0)}
          </span>
        )}
      </span>
    </button>
  );
}

/** Where in the clip the regions lie. */
function Scrubber(props: { regions: readonly Region[]; chosen: Region | undefined; totalFrames: number }) {
  const at = (frame: number) => `${(100 * frame) / Math.max(1, props.totalFrames)}%`;
  return (
    <div class="scrubber" aria-hidden="true">
      <div class="scrubber__track">
        {props.regions.map((region, index) => (
          <span
            key={`${region.frameNumber}-${region.type}-${index}`}
            class={
              region.frameNumber === props.chosen?.frameNumber
                ? "scrubber__mark scrubber__mark--here"
                : "scrubber__mark"
            }
            style={{ left: at(region.frameNumber) }}
          />
        ))}
      </div>
    </div>
  );
}

function showsMesh(analysis: AnalysisView | undefined): boolean {
  if (analysis === undefined || isOver(analysis)) return false;
  return stageIndex(analysis.stage) >= stageIndex("feature_extraction");
}

function describe(analysis: AnalysisView | undefined): string {
  const regions = analysis?.result?.regions.length ?? 0;
  if (regions === 0) return "Illustration of a newsreader in a studio";
  return `Illustration of a newsreader in a studio, with ${regions} suspicious regions marked`;
}
