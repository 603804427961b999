import { connection, now, retryNow } from "./page-state.ts";

/** How the page is connected, with a way to hurry it. */
export function ConnectionPill() {
  const status = connection.value;
  const label = labelOf(status.kind);
  if (label === undefined) return null;
  return (
    <p class="pill" data-kind={status.kind} data-testid="connection" role="status">
      <span class="dot" aria-hidden="true" />
      {label}
      {status.kind === "waiting" ? (
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
  if (kind === "live") return "Live";
  if (kind === "connecting") return "Connecting";
  if (kind === "waiting") return "Reconnecting";
  if (kind === "refused") return "Not connected";
  return undefined;
}
