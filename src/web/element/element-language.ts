/**
 * The language of figures and times, as `Intl` takes it: that of the page at this element, else the visitor's; undefined, the runtime's own,
 * if neither is a language. The words are English unless the page gave its own, and figures beside English words are English too.
 */
export function languageOf(element: HTMLElement, hasTexts: boolean): string | undefined {
  const language = known(langOf(element)) ?? known(navigator.language);
  return hasTexts || language?.startsWith("en") ? language : "en";
}

/** The attribute counts across the borders of shadow trees. */
function langOf(element: Element): string {
  const found = element.closest<HTMLElement>("[lang]");
  if (found !== null) return found.lang;
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? langOf(root.host) : "";
}

/** `en_US` is meant as `en-US`. `C`, `x` and, as some browsers have it, `en-US@posix` are none. */
function known(text: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(text.replaceAll("_", "-"))[0];
  } catch {
    // No language tag: the next one is asked.
    return undefined;
  }
}
