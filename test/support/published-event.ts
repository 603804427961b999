import type { PublishedEvent } from "../../src/application/ports/pub-sub-port.ts";
import type { EncodedEvent } from "../../src/domain/analysis-event.ts";
import { textWithEventId } from "../../src/domain/event-position.ts";
import { status } from "../../src/testing/encoded-events.ts";

/** An event as a broker delivers it. */
export function published(
  offset: number,
  event: EncodedEvent = status(),
  { epoch = "e1", reopens = false }: { readonly epoch?: string; readonly reopens?: boolean } = {},
): PublishedEvent {
  const position = { epoch, offset };
  return { position, kind: event.kind, reopens, text: textWithEventId(position, event.members) };
}

/** A status whose text is `characters` long. */
export function publishedOfLength(offset: number, characters: number): PublishedEvent {
  const empty = published(offset, status({ note: "" })).text.length;
  return published(offset, status({ note: "x".repeat(characters - empty) }));
}
