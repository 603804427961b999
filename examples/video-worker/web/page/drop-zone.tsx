import { useSignal } from "@preact/signals";
import { percent } from "../../../../src/web/words/percent.ts";
import { callOff, check, sending } from "./page-state.ts";

/** Takes a video: by picking, or dropped onto it. */
export function DropZone() {
  const over = useSignal(false);
  const state = sending.value;
  if (state.kind === "sending") return <SendingCard name={state.name} share={state.share} />;
  const take = (files: FileList | null | undefined) => {
    const file = files?.[0];
    if (file !== undefined) void check(file);
  };
  return (
    <div class="intro">
      <h1>Check a video</h1>
      <p class="lead">
        Send a video and watch, step by step, how a worker measures it: black and frozen stretches, cuts, blur
        and blocks.
      </p>
      <label
        class={over.value ? "drop drop--over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          over.value = true;
        }}
        onDragLeave={() => {
          over.value = false;
        }}
        onDrop={(event) => {
          event.preventDefault();
          over.value = false;
          take(event.dataTransfer?.files);
        }}
      >
        <input
          type="file"
          accept="video/*,.mkv,.avi,.ts"
          class="visually-hidden"
          data-testid="file"
          onChange={(event) => take(event.currentTarget.files)}
        />
        <FilmIcon />
        <span class="drop__what">
          <b>Choose a video</b> or drop it here
        </span>
        <span class="drop__hint">MP4, WebM, MOV, MKV or AVI</span>
      </label>
      {state.kind === "failed" ? (
        <p class="alert" role="alert" data-testid="upload-error">
          {state.reason}
        </p>
      ) : null}
      <p class="disclaimer">
        A worked example of a worker. Its rules are simple ones over measurements by ffmpeg; it is no
        deep-fake detector.
      </p>
    </div>
  );
}

function SendingCard({ name, share }: { readonly name: string; readonly share: number }) {
  return (
    <section class="card sending" aria-label="Upload">
      <h1 class="sending__name">{name}</h1>
      <div
        class="bar"
        role="progressbar"
        aria-label="Upload"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
      >
        <span style={{ width: `${share * 100}%` }} />
      </div>
      <p class="row">
        <span>{share < 1 ? `Sending: ${percent(share)}` : "Sent. Starting the analysis"}</span>
        <button type="button" class="link" onClick={callOff}>
          Cancel
        </button>
      </p>
    </section>
  );
}

function FilmIcon() {
  return (
    <svg viewBox="0 0 48 48" width="48" height="48" aria-hidden="true" fill="none" stroke="currentColor">
      <rect x="5" y="10" width="38" height="28" rx="5" stroke-width="2.5" />
      <path d="M20 18.5v11l9-5.5z" fill="currentColor" stroke-width="2" stroke-linejoin="round" />
    </svg>
  );
}
