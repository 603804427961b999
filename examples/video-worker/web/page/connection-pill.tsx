import { connection, now, over, retryNow, trouble } from "./page-state.ts";

/** How the page is connected, with a way to hurry it. */
export function ConnectionPill() {
  const status = connection.value;
  // The end counts more than the link. A worker that tries again is shown all the same.
  const ended = over.value;
  const label = ended ? "Ended" : labelOf(status.kind);
  if (label === undefined) return null;
  return (
    <p class="pill" data-kind={status.kind} data-ended={ended} data-testid="connection" role="status">
      <span class="dot" aria-hidden="true" />
      {label}
      {status.kind === "waiting" && !ended ? (
        <button
          type="button"
          class="link"
          onClick={retryNow}
          title={`as of ${new Date(now.value).toLocaleTimeString()}`}
        >
          Try now
        </button>
      ) : null}
    </p>
  );
}

function labelOf(kind: typeof connection.value.kind): string | undefined {
  if (kind === "live") return trouble.value === "broker_away" ? "Broker away" : "Live";
  if (kind === "connecting") return "Connecting";
  if (kind === "waiting") return "Reconnecting";
  if (kind === "refused") return "Not connected";
  return undefined;
}
