import { signal } from "@preact/signals";
import { CancelRefused } from "../../../../src/client/sdk.ts";
import type { AnalysisState } from "../../../../src/domain/analysis-state.ts";
import { cancelWatched } from "../../../../src/web/page/watched-analysis.ts";
import { cancelFault } from "../../../../src/web/words/cancel-fault.ts";

/** How the visitor's wish to cancel an analysis goes. */
type Asking =
  | { readonly kind: "asked"; readonly id: string }
  /** `reason` is a sentence. */
  | { readonly kind: "failed"; readonly id: string; readonly reason: string };

const asking = signal<Asking | undefined>(undefined);

/** Asks the worker to stop. It ends the analysis itself, so that the page shows it as running until then. */
export function CancelButton({
  id,
  state,
}: {
  readonly id: string;
  readonly state: AnalysisState | undefined;
}) {
  const mine = asking.value?.id === id ? asking.value : undefined;
  const isAsked = mine?.kind === "asked" || (state?.cancel_requested ?? null) !== null;
  return (
    <>
      <button type="button" class="button" data-testid="cancel" disabled={isAsked} onClick={() => ask(id)}>
        {isAsked ? "Cancelling…" : "Cancel"}
      </button>
      {mine?.kind === "failed" ? (
        <p class="hint" role="alert">
          {mine.reason}
        </p>
      ) : null}
    </>
  );
}

async function ask(id: string): Promise<void> {
  asking.value = { kind: "asked", id };
  try {
    await cancelWatched();
  } catch (error) {
    if (!(error instanceof CancelRefused)) throw error;
    // One that has ended meanwhile says so itself.
    if (error.code !== "already_ended") asking.value = { kind: "failed", id, reason: cancelFault(error) };
  }
}
