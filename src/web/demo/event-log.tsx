import { timeOfDay } from "./format.ts";
import { ChevronIcon } from "./icons.tsx";
import { heard, log } from "./logged-events.ts";

/** The events as the page got them, newest first. */
export function EventLog() {
  const entries = log.value;
  return (
    <details class="card events" data-testid="events">
      <summary class="events__summary">
        <ChevronIcon />
        <span class="card__title">Raw events</span>
        <span class="events__count" data-testid="event-count">
          {heard.value}
        </span>
      </summary>
      {entries.length === 0 ? (
        <p class="events__none">Nothing has come since this page was opened.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be scrollable by keyboard.
        <ol class="events__list" tabIndex={0} aria-label="Raw events, newest first">
          {entries.map((entry) => (
            <li key={entry.eventId} class="event" data-testid="event" data-event-id={entry.eventId}>
              <p class="event__head">
                <span class={`event__type event__type--${entry.eventType}`}>{entry.eventType}</span>
                <span class="event__id">{entry.eventId}</span>
                <time class="event__time">{timeOfDay(entry.at)}</time>
              </p>
              <pre class="event__text">{entry.text}</pre>
            </li>
          ))}
        </ol>
      )}
    </details>
  );
}
