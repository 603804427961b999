import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { CancelRefused } from "../../client/sdk.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import { cancelWatched } from "../page/watched-analysis.ts";
import { cancelFault } from "../words/cancel-fault.ts";
import { cancelWords } from "./cancel-words.ts";
import { session } from "./page-state.ts";

/** How the visitor's wish to cancel goes. */
type Asking =
  | { readonly kind: "idle" | "confirming" | "asked" }
  /** `reason` is a sentence. */
  | { readonly kind: "failed"; readonly reason: string };

/** Asks the worker to stop, once the visitor has confirmed it. The worker ends the analysis itself. */
export function Cancelling({ request }: { request: CancelRequest | null }) {
  const asking = useSignal<Asking>({ kind: "idle" });
  const requestedAt = request?.requested_at;
  useEffect(() => {
    // Another run of the worker ends the request: the visitor may ask again then.
    if (requestedAt !== undefined) asking.value = { kind: "idle" };
  }, [requestedAt, asking]);
  if (request !== null) return <Requested request={request} />;
  if (session.value?.may_cancel !== true) return null;

  const set = (kind: "idle" | "confirming") => () => {
    asking.value = { kind };
  };
  const ask = async () => {
    asking.value = { kind: "asked" };
    try {
      await cancelWatched();
    } catch (error) {
      if (!(error instanceof CancelRefused)) throw error;
      // One that has ended meanwhile says so itself.
      if (error.code !== "already_ended") asking.value = { kind: "failed", reason: cancelFault(error) };
    }
  };
  const state = asking.value;
  if (state.kind === "confirming") {
    return (
      <fieldset class="cancelling" aria-label="Confirm">
        <span>Cancel this analysis?</span>
        <button type="button" class="button" data-testid="confirm-cancel" onClick={() => void ask()}>
          Yes, cancel it
        </button>
        <button type="button" class="button" data-testid="keep-running" ref={focus} onClick={set("idle")}>
          Keep it running
        </button>
      </fieldset>
    );
  }
  const asked = state.kind === "asked";
  return (
    <div class="cancelling">
      <button type="button" class="button" data-testid="cancel" disabled={asked} onClick={set("confirming")}>
        {asked ? "Cancelling…" : "Cancel"}
      </button>
      {state.kind === "failed" && (
        <p class="cancelling__fault" role="alert">
          The analysis could not be cancelled. {state.reason}
        </p>
      )}
    </div>
  );
}

/** The button that was clicked is gone: whoever uses the keyboard goes on here. */
function focus(button: HTMLElement | null): void {
  button?.focus();
}

function Requested({ request }: { request: CancelRequest }) {
  return (
    <p class="hint hint--plain" data-testid="cancel-requested">
      Cancel requested {cancelWords(request)}. The worker has to stop by itself.
    </p>
  );
}
