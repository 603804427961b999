import { useSignal } from "@preact/signals";
import { analysisId } from "../page/watched-analysis.ts";
import type { Outcome } from "./demo-backend.ts";
import { LinkIcon, PlayIcon } from "./icons.tsx";
import { isVideo, start, starting } from "./page-state.ts";

const OUTCOMES: readonly { readonly outcome: Outcome; readonly label: string }[] = [
  { outcome: "fake", label: "Manipulated" },
  { outcome: "authentic", label: "Authentic" },
  { outcome: "failure", label: "Failure" },
];

export function StartPanel() {
  const outcome = useSignal<Outcome>("fake");
  const state = starting.value;
  const watching = analysisId.value !== undefined;
  return (
    <form
      class={watching ? "start start--bar" : "start"}
      onSubmit={(event) => {
        event.preventDefault();
        void start(outcome.value);
      }}
    >
      {!watching && (
        <div class="start__words">
          <h1 class="start__title">Every step of an analysis, while it happens.</h1>
          <p class="start__lead">
            Start one and watch it live: the stage it is in, what is left to do, and the verdict the moment it
            falls. Reload, lose the network or open a second tab; the page picks up where the worker is.
          </p>
        </div>
      )}
      <div class="start__controls">
        {isVideo.value && (
          <fieldset class="segments">
            <legend class={watching ? "unseen" : "label"}>How should it end?</legend>
            <div class="segments__row">
              {OUTCOMES.map((option) => (
                <label key={option.outcome} class="segment">
                  <input
                    type="radio"
                    name="outcome"
                    value={option.outcome}
                    checked={outcome.value === option.outcome}
                    onChange={() => {
                      outcome.value = option.outcome;
                    }}
                  />
                  <span>{option.label}</span>
                </label>
              ))}
            </div>
          </fieldset>
        )}
        <div class="start__buttons">
          <button
            type="submit"
            class="button button--primary"
            data-testid="start"
            disabled={state.kind === "starting"}
          >
            <PlayIcon />
            {state.kind === "starting" ? "Starting…" : labelOfStart(watching)}
          </button>
          {watching && <CopyLink />}
        </div>
      </div>
      {state.kind === "failed" && (
        <p class="start__fault" role="alert">
          The analysis could not be started. {state.reason}
        </p>
      )}
    </form>
  );
}

function labelOfStart(watching: boolean): string {
  if (!watching) return "Start analysis";
  return isVideo.value ? "Start another" : "Start a demo";
}

function CopyLink() {
  const answer = useSignal("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      answer.value = "Link copied";
    } catch {
      // Without permission or a secure context there is still the address bar.
      answer.value = "Copy it from the address bar";
    }
    setTimeout(() => {
      answer.value = "";
    }, 2_500);
  };
  return (
    <button type="button" class="button" data-testid="copy-link" onClick={() => void copy()}>
      <LinkIcon />
      <span aria-live="polite">{answer.value === "" ? "Copy link" : answer.value}</span>
    </button>
  );
}
