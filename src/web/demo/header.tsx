import type { ConnectionStatus } from "../../client/sdk.ts";
import { CLOSE_CODES } from "../../domain/close-code.ts";
import { analysisId, connection, now, over, retryNow, trouble } from "../page/watched-analysis.ts";

export function Header() {
  return (
    <header class="header">
      <a class="brand" href="./">
        <svg class="brand__mark" viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="9" fill="var(--accent)" />
          <path
            d="M8 11h16M8 16h11M8 21h6"
            stroke="var(--on-accent)"
            stroke-width="2.8"
            stroke-linecap="round"
          />
        </svg>
        <span class="brand__name">Telltale</span>
      </a>
      {analysisId.value !== undefined && <ConnectionPill />}
    </header>
  );
}

function ConnectionPill() {
  const status = connection.value;
  // The end counts more than the link. A worker that tries again is shown all the same.
  const ended = over.value;
  return (
    <div class="connection">
      <span
        class={`pill pill--${ended ? "ended" : status.status}`}
        data-testid="connection"
        data-kind={status.status}
        data-ended={ended}
        data-trouble={trouble.value}
      >
        <span class="pill__dot" aria-hidden="true" />
        <span class="pill__text">{ended ? "Ended" : describeConnection(status)}</span>
      </span>
      {status.status === "waiting" && !ended && (
        <button type="button" class="button button--quiet button--small" onClick={retryNow}>
          Retry now
        </button>
      )}
    </div>
  );
}

/** In a few words; the page itself says more. */
const REFUSALS: Readonly<Record<number, string>> = {
  [CLOSE_CODES.frameTooLarge.code]: "frame too large",
  [CLOSE_CODES.unauthenticated.code]: "no valid token",
  [CLOSE_CODES.forbidden.code]: "not allowed",
  [CLOSE_CODES.notAnAnalysisId.code]: "no such id",
  [CLOSE_CODES.protocolViolation.code]: "protocol errors",
};

function describeConnection(status: ConnectionStatus): string {
  switch (status.status) {
    case "connecting":
      return trouble.value === "broker_away" ? "Broker away" : "Connecting…";
    case "live":
      return "Live";
    case "waiting":
      if (trouble.value === "broker_away") return "Broker away";
      return secondsUntil(status.retryAt) > 0
        ? `Reconnecting in ${secondsUntil(status.retryAt)} s`
        : "Reconnecting…";
    case "refused":
      return `Refused: ${REFUSALS[status.code] ?? status.reason} (${status.code})`;
    case "finished":
      return "Finished";
    case "closed":
      return "Closed";
  }
}

function secondsUntil(time: number): number {
  return Math.ceil(Math.max(0, time - now.value) / 1000);
}
