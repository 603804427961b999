import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { videoAddress } from "./backend.ts";
import { timecode } from "./format.ts";
import { isShownAt, type Region, wholePicture } from "./region.ts";

/** The position of the player and the length of the video, in seconds. */
export const position = signal(0);
const length = signal(0);
const unplayable = signal(false);
/** A position that the visitor asked for; the player takes it. */
const wish = signal<{ readonly seconds: number } | undefined>(undefined);

/** Stops there, so that what is marked can be looked at. */
export function seekTo(region: Region): void {
  // A hair inside the frame: its exact time may be rounded to the frame before.
  wish.value = { seconds: region.start + 0.005 };
}

export function Player({
  analysisId,
  regions,
}: {
  readonly analysisId: string;
  readonly regions: readonly Region[];
}) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = video.current;
    if (element === null) return;
    wish.value = undefined;
    position.value = 0;
    length.value = 0;
    unplayable.value = false;
    const stopFollowing = followFrames(element);
    const stopSeeking = effect(() => {
      if (wish.value === undefined) return;
      element.pause();
      element.currentTime = wish.value.seconds;
      element.scrollIntoView({ block: "nearest", behavior: "smooth" });
    });
    return () => {
      stopFollowing();
      stopSeeking();
    };
  }, [analysisId]);
  const shown = regions.filter((region) => isShownAt(region, position.value));
  return (
    <figure class="player">
      <div class="stage">
        <video
          ref={video}
          src={videoAddress(analysisId)}
          controls
          muted
          playsInline
          preload="auto"
          onLoadedMetadata={({ currentTarget }) => {
            length.value = Number.isFinite(currentTarget.duration) ? currentTarget.duration : 0;
            const { videoWidth, videoHeight } = currentTarget;
            if (videoWidth > 0)
              currentTarget.parentElement?.style.setProperty("--shape", `${videoWidth}/${videoHeight}`);
          }}
          onError={() => {
            unplayable.value = true;
          }}
        />
        <div class="marks" aria-hidden="true" data-testid="marks">
          {shown.map((region) => (
            <Mark key={region.key} region={region} />
          ))}
        </div>
        {unplayable.value ? (
          <p class="stage__note">This browser cannot play the file. Its analysis goes on all the same.</p>
        ) : null}
      </div>
      {regions.length > 0 && length.value > 0 ? <Timeline regions={regions} /> : null}
    </figure>
  );
}

function Mark({ region }: { readonly region: Region }) {
  const { box } = region;
  const place = {
    left: `${box.x * 100}%`,
    top: `${box.y * 100}%`,
    width: `${box.width * 100}%`,
    height: `${box.height * 100}%`,
  };
  return (
    <div class={wholePicture(region) ? "mark mark--whole" : "mark"} data-type={region.type} style={place}>
      <span>{region.label}</span>
    </div>
  );
}

/** Where in the video the findings lie; the list beside it says the same to the keyboard. */
function Timeline({ regions }: { readonly regions: readonly Region[] }) {
  const at = (seconds: number) => `${Math.min(100, (seconds / length.value) * 100)}%`;
  return (
    <div class="timeline" aria-hidden="true">
      {regions.map((region) => (
        <button
          type="button"
          tabIndex={-1}
          key={region.key}
          class="timeline__span"
          data-type={region.type}
          title={`${region.label}, ${timecode(region.start, true)}`}
          style={{ left: at(region.start), width: `max(4px, ${at(region.end - region.start)})` }}
          onClick={() => seekTo(region)}
        />
      ))}
      <span class="timeline__now" style={{ left: at(position.value) }} />
    </div>
  );
}

/** Each frame as it is shown, where the browser tells; else a few times a second. */
function followFrames(element: HTMLVideoElement): () => void {
  const told = () => {
    position.value = element.currentTime;
  };
  for (const event of ["timeupdate", "seeked"]) element.addEventListener(event, told);
  let frame = 0;
  const onFrame: VideoFrameRequestCallback = (_, { mediaTime }) => {
    position.value = mediaTime;
    frame = element.requestVideoFrameCallback(onFrame);
  };
  if ("requestVideoFrameCallback" in element) frame = element.requestVideoFrameCallback(onFrame);
  return () => {
    for (const event of ["timeupdate", "seeked"]) element.removeEventListener(event, told);
    if ("cancelVideoFrameCallback" in element) element.cancelVideoFrameCallback(frame);
  };
}
