import { type AnalysisWatch, type TokenSource, type WatchSnapshot, watch } from "../../client/sdk.ts";
import { isEnd } from "../../domain/analysis-state.ts";
import { sayer } from "./element-texts.ts";
import { buildView, type ElementView } from "./element-view.ts";
import { secondsLeft, shownOf } from "./element-words.ts";
import { tokenFrom } from "./token-endpoint.ts";

const REDRAW_MS = 5_000;

/** On a server there are no elements, and nothing but the import has to work. */
const Base = globalThis.HTMLElement ?? class {};

/**
 * `<telltale-progress src=GATEWAY analysis-id=ID token-endpoint=URL>` shows one analysis, live. Attributes besides: `cancellable` shows a
 * button that asks for its end, `theme` is `light` or `dark`, `lang` is the language of figures. After each change it dispatches
 * `telltale-change`, whose `detail` is the snapshot.
 */
export class TelltaleProgress extends Base {
  static readonly observedAttributes = ["src", "analysis-id", "token-endpoint", "cancellable", "lang"];
  #token: TokenSource | undefined;
  #texts: Readonly<Record<string, string>> = {};
  #watch: AnalysisWatch | undefined;
  #view: ElementView | undefined;
  #isDue = false;
  #redraw: ReturnType<typeof setTimeout> | undefined;

  /** In place of `token-endpoint`: a token, or a function that gets one. */
  get token(): TokenSource | undefined {
    return this.#token;
  }

  set token(token: TokenSource | undefined) {
    this.#token = token;
    this.#begin();
  }

  /** Words in place of the English ones, by name. */
  get texts(): Readonly<Record<string, string>> {
    return this.#texts;
  }

  set texts(texts: Readonly<Record<string, string>>) {
    this.#texts = texts;
    this.#show();
  }

  /** All that is known; undefined until it watches. */
  get snapshot(): WatchSnapshot | undefined {
    return this.#watch?.getSnapshot();
  }

  connectedCallback(): void {
    for (const name of ["token", "texts"] as const) {
      if (!Object.hasOwn(this, name)) continue;
      // The page set it before it knew the element, and so beside the accessor.
      const value = this[name];
      Reflect.deleteProperty(this, name);
      Object.assign(this, { [name]: value });
    }
    this.#begin();
  }

  disconnectedCallback(): void {
    this.#end();
  }

  attributeChangedCallback(name: string): void {
    if (name === "cancellable" || name === "lang") this.#show();
    else this.#begin();
  }

  /** Once for all attributes that change at once. */
  #begin(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#end();
      const analysisId = this.getAttribute("analysis-id");
      const endpoint = this.getAttribute("token-endpoint");
      const token =
        this.#token ?? (endpoint === null ? undefined : tokenFrom(new URL(endpoint, document.baseURI).href));
      if (!this.isConnected || !analysisId || token === undefined) return;
      const url = new URL(this.getAttribute("src") ?? "/", document.baseURI).href;
      const watching = watch({ url, analysisId, token });
      this.#watch = watching;
      watching.subscribe(() => {
        if (this.#watch === watching) this.#show();
      });
      this.#show();
    });
  }

  #end(): void {
    clearTimeout(this.#redraw);
    const watching = this.#watch;
    this.#watch = undefined;
    watching?.close();
  }

  #show(): void {
    if (this.#watch === undefined) return;
    this.#draw(this.#watch);
    this.dispatchEvent(new CustomEvent("telltale-change", { detail: this.#watch?.getSnapshot() }));
  }

  #draw(watching: AnalysisWatch): void {
    const view = this.#view ?? this.#build();
    const snapshot = watching.getSnapshot();
    const { connection, analysis, cancelRequested } = snapshot;
    const say = sayer(this.#texts);
    const language = this.closest<HTMLElement>("[lang]")?.lang || navigator.language;
    const verdict = analysis?.result?.event_type === "result_update" && analysis.result.is_fake ? "fake" : "";
    const status = analysis?.status ?? connection.status;
    view.show(shownOf(snapshot, say, language, Date.now()), { status, verdict }, say);
    const mayCancel = this.hasAttribute("cancellable") && analysis !== null && !isEnd(analysis.status);
    view.offer(view.cancel, mayCancel);
    // A button that is disabled would lose the focus.
    view.cancel.ariaDisabled = `${cancelRequested !== null}`;
    view.cancel.textContent = say("cancel");
    const isAway = ["waiting", "refused"].includes(connection.status);
    // While it tries, the button stays for whoever is on it.
    view.offer(view.retry, isAway || (connection.status === "connecting" && !view.retry.hidden));
    view.retry.textContent = say("retry");
    clearTimeout(this.#redraw);
    // The time that is left gets less without an event.
    if (secondsLeft(snapshot, Date.now()) !== undefined)
      this.#redraw = setTimeout(() => this.#draw(watching), REDRAW_MS);
  }

  #build(): ElementView {
    const view = buildView(this.attachShadow({ mode: "open" }));
    view.cancel.addEventListener("click", () => {
      if (this.#watch?.getSnapshot().cancelRequested) return;
      // The page hears of a refusal; the request itself shows as a change.
      this.#watch?.cancel().catch((error: unknown) => {
        this.dispatchEvent(new CustomEvent("telltale-error", { detail: error }));
      });
    });
    view.retry.addEventListener("click", () => {
      const { connection } = this.#watch?.getSnapshot() ?? {};
      // A subscription that was refused waits by itself, over a connection that is there.
      if (connection?.status === "refused" || (connection?.status === "waiting" && connection.code === 4003))
        this.#begin();
      else this.#watch?.retryNow();
    });
    this.#view = view;
    return view;
  }
}

/** Makes `<telltale-progress>` known to the page. Harmless if it is known, and on a server. */
export function defineTelltaleProgress(): void {
  const { customElements } = globalThis;
  if (customElements !== undefined && !customElements.get("telltale-progress"))
    customElements.define("telltale-progress", TelltaleProgress);
}
