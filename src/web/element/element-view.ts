import { STYLE } from "./element-style.ts";
import type { Say } from "./element-texts.ts";
import type { Shown } from "./element-words.ts";

/** The pieces of the element, which stay: somebody may be on a button. */
export interface ElementView {
  readonly cancel: HTMLButtonElement;
  readonly retry: HTMLButtonElement;
  /** The focus moves to the card if it is on a button that goes. */
  offer(button: HTMLButtonElement, isOffered: boolean): void;
  /** Shows nothing, and forgets what was said. */
  clear(): void;
  show(shown: Shown, say: Say): void;
}

/** Builds the element's inside. It writes nothing but text: an event cannot bring markup. */
export function buildView(root: ShadowRoot): ElementView {
  root.adoptedStyleSheets = [styleSheet()];
  const piece = <Tag extends keyof HTMLElementTagNameMap>(
    tag: Tag,
    part: string,
    ...inside: (Node | string)[]
  ) => {
    const element = document.createElement(tag);
    element.part = part;
    element.append(...inside);
    return element;
  };
  const line = (part: string) => piece("p", part);
  const lines = {
    status: line("status"),
    connection: line("connection"),
    message: line("message"),
    details: line("details"),
    verdict: line("verdict"),
    failure: line("failure"),
  };
  const announcement = line("announcement");
  const fill = piece("div", "fill");
  const bar = piece("div", "bar", fill);
  const [stages, regions, data] = [piece("ol", "stages"), piece("ul", "regions"), piece("ul", "data")];
  const [cancel, retry] = [piece("button", "cancel"), piece("button", "retry")];
  const card = piece(
    "section",
    "card",
    piece("div", "header", lines.status, lines.connection),
    bar,
    lines.message,
    lines.details,
    lines.verdict,
    regions,
    data,
    lines.failure,
    stages,
    piece("div", "actions", cancel, retry),
    announcement,
  );
  // In a shadow tree they belong to no form of the page.
  cancel.hidden = retry.hidden = true;
  card.tabIndex = -1;
  bar.role = "progressbar";
  // A list without bullets is none to some screen readers, unless it says so.
  for (const list of [stages, regions, data]) list.role = "list";
  announcement.role = "status";
  root.append(card);

  const write = (element: HTMLElement, given: string | null | undefined) => {
    const text = given ?? "";
    if (element.textContent !== text) element.textContent = text;
    if (element !== announcement) element.hidden = text === "";
  };
  let heard: string | undefined;

  return {
    cancel,
    retry,
    offer(button, isOffered) {
      if (!isOffered && root.activeElement === button) card.focus();
      button.hidden = !isOffered;
    },
    clear() {
      card.hidden = true;
      write(announcement, "");
      heard = undefined;
    },
    show(shown, say) {
      card.hidden = false;
      const { progress } = shown;
      card.dataset.status = shown.look;
      bar.hidden = shown.look === "refused";
      bar.toggleAttribute("data-unknown", progress === null);
      fill.style.inlineSize = progress === null ? "" : `${progress * 100}%`;
      bar.ariaLabel = say("progress");
      stages.ariaLabel = say("stages");
      bar.ariaValueNow = progress === null ? null : `${Math.round(progress * 100)}`;
      bar.ariaValueText = [shown.status, shown.details].filter(Boolean).join(", ");
      for (const [name, element] of Object.entries(lines)) write(element, shown[name as keyof typeof lines]);
      replace(
        stages,
        (shown.stages ?? []).map(({ name, mark, duration }) => {
          const item = piece(
            "li",
            `stage ${mark}`,
            piece("bdi", "name", name),
            piece("span", "time", duration),
          );
          if (mark === "current") item.ariaCurrent = "step";
          return item;
        }),
      );
      const items = (part: string, texts: readonly string[] = []) =>
        texts.map((text) => piece("li", part, text));
      replace(regions, items("region", shown.regions));
      replace(data, items("datum", shown.data));
      // The state that a page is opened with is read as part of the page.
      if (!shown.announcement || heard === shown.announcement) return;
      if (heard !== undefined) write(announcement, shown.announcement);
      heard = shown.announcement;
    },
  };
}

let sheet: CSSStyleSheet | undefined;

/** One for all elements of the page. */
function styleSheet(): CSSStyleSheet {
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
  }
  return sheet;
}

/** Leaves a list alone that would be the same. */
function replace(list: HTMLElement, items: readonly HTMLElement[]): void {
  list.hidden = items.length === 0;
  const isSame =
    items.length === list.children.length &&
    items.every((item, index) => item.isEqualNode(list.children[index] ?? null));
  if (!isSame) list.replaceChildren(...items);
}
