import { connection, now, over, trouble } from "../../../../src/web/page/watched-analysis.ts";
import { retryNow } from "./page-state.ts";

/** How the page is connected, with a way to hurry it. */
export function ConnectionPill() {
  const status = connection.value;
  // The end counts more than the link. A worker that tries again is shown all the same.
  const ended = over.value;
  const label = ended ? "Ended" : labelOf(status.status);
  if (label === undefined) return null;
  return (
    <p class="pill" data-kind={status.status} data-ended={ended} data-testid="connection" role="status">
      <span class="dot" aria-hidden="true" />
      {label}
      {status.status === "waiting" && !ended ? (
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

function labelOf(status: typeof connection.value.status): string | undefined {
  if (status === "live") return "Live";
  const isTrying = status === "waiting" || status === "connecting";
  if (isTrying && trouble.value === "broker_away") return "Broker away";
  if (isTrying) return status === "connecting" ? "Connecting" : "Reconnecting";
  if (status === "refused") return "Not connected";
  return undefined;
}
