import { words } from "../words/failure-details.ts";
import { percent } from "../words/percent.ts";
import { chosenRegion, regions } from "./regions.ts";

/** The suspicious regions; choosing one shows it on the frame. */
export function RegionList() {
  if (regions.value.length === 0) return null;
  return (
    <section class="card regions" aria-labelledby="regions-title">
      <h2 id="regions-title" class="card__title">
        Suspicious regions
      </h2>
      <ol class="regions__list">
        {regions.value.map((region, index) => (
          <li key={`${region.frame_number}-${region.region_type}-${index}`}>
            <button
              type="button"
              class="region"
              data-testid="region"
              aria-pressed={chosenRegion.value === index}
              onClick={() => {
                chosenRegion.value = index;
              }}
              onMouseEnter={() => {
                chosenRegion.value = index;
              }}
            >
              <span class="region__number" aria-hidden="true">
                {index + 1}
              </span>
              <span class="region__words">
                <span class="region__type">{words(region.region_type)}</span>
                <span class="region__where">
                  Frame {region.frame_number}
                  {region.timecode !== undefined && ` · ${region.timecode}`}
                </span>
              </span>
              <span class="region__score">
                <span class="region__meter" aria-hidden="true">
                  <span style={{ width: `${region.confidence * 100}%` }} />
                </span>
                <span class="region__figure">
                  {percent(region.confidence)}
                  <span class="region__unit">confidence</span>
                </span>
              </span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}
