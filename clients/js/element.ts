import type { WatchSnapshot } from "../../src/client/sdk.ts";
import { defineTelltaleProgress, type TelltaleProgress } from "../../src/web/element/telltale-progress.ts";

export { TelltaleProgress } from "../../src/web/element/telltale-progress.ts";

/** All that JSX and templates may set on a `<telltale-progress>`, beside the attributes of every element. */
export interface TelltaleProgressAttributes {
  /** Address of the gateway [the page's own origin]. */
  readonly src?: string | undefined;
  readonly "analysis-id"?: string | undefined;
  /** Address that answers `{"token"}`. */
  readonly "token-endpoint"?: string | undefined;
  /** In place of `token-endpoint`. */
  readonly token?: TelltaleProgress["token"];
  readonly texts?: TelltaleProgress["texts"] | null | undefined;
  /** `tabs` of `telltale-client/tabs`. */
  readonly share?: TelltaleProgress["share"];
  /** Shows a button that asks for the end of the analysis. */
  readonly cancellable?: boolean | "" | undefined;
  readonly theme?: "light" | "dark" | undefined;
  readonly "ontelltale-change"?: ((event: CustomEvent<WatchSnapshot>) => void) | undefined;
  readonly "ontelltale-error"?: ((event: CustomEvent<unknown>) => void) | undefined;
}

declare global {
  interface HTMLElementTagNameMap {
    "telltale-progress": TelltaleProgress;
  }
  interface HTMLElementEventMap {
    "telltale-change": CustomEvent<WatchSnapshot>;
    "telltale-error": CustomEvent<unknown>;
  }
}

defineTelltaleProgress();
