import type { WatchOptions } from "../../client/sdk.ts";
import { tokenFrom } from "./token-endpoint.ts";
import { forgetFunction, lastingFunction, type TokenFunction } from "./token-function.ts";

/** The element, and its properties as the page set them, to anything at all. */
interface GivenElement extends Element {
  readonly token: unknown;
  readonly share: unknown;
}

/** The analysis to watch; nothing while an attribute is missing; or the reason why an attribute or property is wrong. */
export type ElementSettings =
  | { readonly kind: "nothing" }
  | { readonly kind: "wrong"; readonly reason: string }
  | ({ readonly kind: "watch" } & Pick<WatchOptions, "url" | "analysisId" | "token" | "share">);

export const NOTHING: ElementSettings = { kind: "nothing" };

/** Reads attributes and properties. A property that is null or empty is none. */
export function settingsOf(element: GivenElement): ElementSettings {
  const { token, share } = element;
  if (typeof token !== "function" || !element.isConnected) forgetFunction(element);
  const analysisId = element.getAttribute("analysis-id");
  const endpoint = element.getAttribute("token-endpoint");
  if (!element.isConnected || !analysisId || !(token || endpoint)) return NOTHING;
  const url = addressOf(element.getAttribute("src") || "/", /^(http|ws)s?:\/\/[^?#@]+$/);
  const source = token || addressOf(endpoint ?? "", /^https?:/);
  if (url === undefined) return wrong(`src="${element.getAttribute("src") ?? ""}"`);
  if (source === undefined) return wrong(`token-endpoint="${endpoint}"`);
  if (typeof source !== "string" && typeof source !== "function") return wrong("token");
  if (share && typeof share !== "function") return wrong("share");
  return {
    kind: "watch",
    url,
    analysisId,
    token:
      typeof source === "function"
        ? lastingFunction(element, source as TokenFunction)
        : token
          ? source
          : tokenFrom(source),
    share: share ? (share as WatchOptions["share"]) : undefined,
  };
}

/** Whether what is shown for `before` stays for `after`. */
export function isSame(before: ElementSettings, after: ElementSettings): boolean {
  const entries = Object.entries(after) as [keyof typeof before, unknown][];
  return before.kind === after.kind && entries.every(([name, value]) => before[name] === value);
}

function wrong(reason: string): ElementSettings {
  return { kind: "wrong", reason };
}

/** The whole address; undefined if it is none of this form. */
function addressOf(text: string, form: RegExp): string | undefined {
  try {
    const { href } = new URL(text, document.baseURI);
    return form.test(href) ? href : undefined;
  } catch {
    return undefined;
  }
}
