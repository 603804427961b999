import { CrossIcon } from "./icons.tsx";
import { notice } from "./page-state.ts";

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
