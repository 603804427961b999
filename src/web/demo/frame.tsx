import { analysis, moving, over } from "../page/watched-analysis.ts";
import { words } from "../words/failure-details.ts";
import { percent } from "../words/percent.ts";
import { LandmarkMesh } from "./landmark-mesh.tsx";
import { Portrait, PortraitPaints } from "./portrait.tsx";
import { chosenRegion, type Region, regions, totalFrames } from "./regions.ts";
import { stageIndex } from "./stage-labels.ts";

/** The frame under examination: the work on it, and in the end the regions that the worker found. */
export function Frame() {
  const found = regions.value;
  const chosen = found[Math.min(chosenRegion.value, found.length - 1)];
  return (
    <figure class="card frame">
      <div class="frame__picture">
        <svg viewBox="0 0 1600 900" role="img" aria-label={describe(found.length)}>
          <PortraitPaints />
          <Portrait />
          {showsMesh() && <LandmarkMesh />}
          <rect width="1600" height="900" fill="url(#vignette)" />
        </svg>
        {moving.value && <div class="frame__scan" aria-hidden="true" />}
        {found.map((region, index) => (
          <RegionBox
            key={`${region.frame_number}-${region.region_type}-${index}`}
            region={region}
            number={index + 1}
            chosen={region === chosen}
            sameFrame={region.frame_number === chosen?.frame_number}
            choose={() => {
              chosenRegion.value = index;
            }}
          />
        ))}
        {chosen !== undefined && (
          <p class="frame__hud">
            <span>FRAME {chosen.frame_number}</span>
            {chosen.timecode !== undefined && <span>{chosen.timecode}</span>}
          </p>
        )}
      </div>
      {found.length > 0 && <Scrubber regions={found} chosen={chosen} totalFrames={totalFrames.value} />}
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
      aria-label={`${number} ${words(region.region_type)} ${percent(region.confidence)} confidence, frame ${region.frame_number}`}
      aria-pressed={chosen}
      onClick={choose}
    >
      <span class="box__tag" aria-hidden="true">
        {number}{" "}
        {chosen && (
          <span class="box__words">
            {words(region.region_type)} {percent(region.confidence)}
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
            key={`${region.frame_number}-${region.region_type}-${index}`}
            class={
              region.frame_number === props.chosen?.frame_number
                ? "scrubber__mark scrubber__mark--here"
                : "scrubber__mark"
            }
            style={{ left: at(region.frame_number) }}
          />
        ))}
      </div>
    </div>
  );
}

function showsMesh(): boolean {
  const stage = analysis.value?.current_stage ?? null;
  return !over.value && stageIndex(stage) >= stageIndex("feature_extraction");
}

function describe(regions: number): string {
  if (regions === 0) return "Illustration of a newsreader in a studio";
  return `Illustration of a newsreader in a studio, with ${regions} suspicious regions marked`;
}
