import {
  type AnalysisWatch,
  type TokenSource,
  type WatchOptions,
  type WatchSnapshot,
  watch,
} from "../../client/sdk.ts";
import { IDLE } from "../../client/watch/idle-snapshot.ts";
import { isEnd } from "../../domain/analysis-state.ts";
import { figuresIn } from "./element-figures.ts";
import { languageOf } from "./element-language.ts";
import { type ElementSettings, isSame, NOTHING, settingsOf } from "./element-settings.ts";
import { sayer, textsOf } from "./element-texts.ts";
import { buildView, type ElementView } from "./element-view.ts";
import { faultOf, secondsLeft, shownOf } from "./element-words.ts";

const REDRAW_MS = 5_000;

/** On a server there are no elements, and nothing but the import has to work. */
const Base = globalThis.HTMLElement ?? class {};

/**
 * `<telltale-progress src=GATEWAY analysis-id=ID token-endpoint=URL>` shows one analysis, live. Attributes besides: `cancellable` shows a
 * button that asks for its end, `theme` is `light` or `dark`, `lang` is the language of `texts`, figures and times. After each change it
 * dispatches `telltale-change`, whose `detail` is the snapshot. A property that is null, undefined or of another type never throws.
 */
export class TelltaleProgress extends Base {
  static readonly observedAttributes = ["src", "analysis-id", "token-endpoint", "cancellable", "lang"];
  #token: TokenSource | null | undefined;
  #texts: Readonly<Record<string, string>> = {};
  #share: WatchOptions["share"] | null;
  #settings: ElementSettings = NOTHING;
  #watch: AnalysisWatch | undefined;
  #view: ElementView | undefined;
  #isDue = false;
  #redraw: ReturnType<typeof setTimeout> | undefined;

  /** In place of `token-endpoint`: a token, or a function that gets one. */
  get token(): TokenSource | null | undefined {
    return this.#token;
  }

  set token(token: TokenSource | null | undefined) {
    this.#token = token;
    this.#begin();
  }

  /** Words in place of the English ones, by name. */
  get texts(): Readonly<Record<string, string>> {
    return this.#texts;
  }

  set texts(texts: Readonly<Record<string, string>> | null | undefined) {
    this.#texts = textsOf(texts);
    this.#begin();
  }

  /** `tabs` of `telltale-client/tabs`: all tabs of the page's origin share one connection. */
  get share(): WatchOptions["share"] | null {
    return this.#share;
  }

  set share(share: WatchOptions["share"] | null) {
    this.#share = share;
    this.#begin();
  }

  /** All that is known; undefined while it watches nothing. */
  get snapshot(): WatchSnapshot | undefined {
    return this.#watch?.getSnapshot();
  }

  connectedCallback(): void {
    for (const name of ["token", "texts", "share"] as const) {
      if (!Object.hasOwn(this, name)) continue;
      // The page set it before it knew the element, and so beside the accessor.
      const value = this[name];
      Reflect.deleteProperty(this, name);
      Object.assign(this, { [name]: value });
    }
    this.#begin();
  }

  disconnectedCallback(): void {
    this.#begin();
  }

  attributeChangedCallback(): void {
    this.#begin();
  }

  /** Once for all that changes at once. An element that is moved is there again by then, and goes on. */
  #begin(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      const settings = settingsOf(this);
      if (isSame(this.#settings, settings)) return this.#draw();
      this.#end();
      this.#settings = settings;
      if (settings.kind === "watch") {
        const watching = watch(settings);
        this.#watch = watching;
        watching.subscribe(() => {
          if (this.#watch === watching) this.#show();
        });
      }
      if (this.isConnected) this.#show();
      if (settings.kind === "wrong")
        this.dispatchEvent(new CustomEvent("telltale-error", { detail: new TypeError(settings.reason) }));
    });
  }

  #end(): void {
    clearTimeout(this.#redraw);
    const watching = this.#watch;
    this.#watch = undefined;
    this.#settings = NOTHING;
    watching?.close();
  }

  #show(): void {
    this.#draw();
    this.dispatchEvent(new CustomEvent("telltale-change", { detail: this.snapshot ?? IDLE }));
  }

  #draw(): void {
    clearTimeout(this.#redraw);
    const settings = this.#settings;
    if (settings.kind === "nothing") {
      this.#view?.clear();
      return;
    }
    const view = this.#view ?? this.#build();
    const snapshot = this.snapshot ?? IDLE;
    const { connection, analysis, cancelRequested } = snapshot;
    const say = sayer(this.#texts);
    const language = languageOf(this, Object.keys(this.#texts).length > 0);
    const shown =
      settings.kind === "wrong"
        ? faultOf(settings.reason, say)
        : shownOf(snapshot, say, figuresIn(language), Date.now());
    view.show(shown, say);
    const isCancellable = (this.getAttribute("cancellable") ?? "false") !== "false";
    view.offer(view.cancel, isCancellable && analysis !== null && !isEnd(analysis.status));
    // A button that is disabled would lose the focus.
    view.cancel.ariaDisabled = `${cancelRequested !== null}`;
    view.cancel.textContent = say("cancel");
    const isAway = ["waiting", "refused"].includes(connection.status);
    // While it tries, the button stays for whoever is on it.
    view.offer(view.retry, isAway || (connection.status === "connecting" && !view.retry.hidden));
    view.retry.textContent = say("retry");
    // The time that is left gets less without an event.
    if (secondsLeft(snapshot, Date.now()) !== undefined)
      this.#redraw = setTimeout(() => this.#draw(), REDRAW_MS);
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
      if (
        connection?.status === "refused" ||
        (connection?.status === "waiting" && connection.code === 4003)
      ) {
        this.#end();
        this.#begin();
      } else this.#watch?.retryNow();
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
