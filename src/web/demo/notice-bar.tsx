import { unknown } from "../page/watched-analysis.ts";
import { CrossIcon } from "./icons.tsx";
import { notice } from "./page-state.ts";
import { refusals } from "./refusals.ts";

/** The newest notice to this user or to everybody, until it is put away. */
export function NoticeBar() {
  const current = notice.value;
  if (current === undefined) return null;
  return (
    <div class={`notice notice--${current.level}`} role="status" data-testid="notice">
      <span>{current.message}</span>
      <button
        type="button"
        class="icon-button"
        aria-label="Dismiss"
        onClick={() => {
          notice.value = undefined;
        }}
      >
        <CrossIcon />
      </button>
    </div>
  );
}

/** Tells the author of a worker that some of its events are missing here, and why. */
export function RefusalBar() {
  const refused = refusals.value;
  if (refused === undefined || unknown.value) return null;
  const { count, reason } = refused;
  return (
    <div class="notice notice--warning" role="status" data-testid="some-refused">
      <span>
        {count === 1 ? "One event was refused" : `${count.toLocaleString("en")} events were refused`}:{" "}
        {reason}
      </span>
    </div>
  );
}
