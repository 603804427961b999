export type OriginList = "*" | readonly string[];

/** Reads `https://a.example, https://b.example:8443` or `*`; undefined if an entry is no origin. */
export function parseOrigins(text: string): OriginList | undefined {
  if (text.trim() === "*") return "*";
  const origins = text.split(",").map((entry) => parseOrigin(entry.trim()));
  return origins.every((origin) => origin !== undefined) ? [...new Set(origins)] : undefined;
}

/** The origin as browsers send it: lower case, without the scheme's own port. */
function parseOrigin(text: string): string | undefined {
  // Browsers never send a wildcard, so one inside an origin would silently match nothing.
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@*\s\\]+\/?$/i.test(text)) return undefined;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return undefined;
  }
  // Application schemes (`capacitor:`, `chrome-extension:`) have no origin by the standard, yet browsers send this.
  const origin = url.origin === "null" ? `${url.protocol}//${url.host}`.toLowerCase() : url.origin;
  // `app.example.` and `app.example` are one host.
  return origin.replace(/\.(?=$|:\d+$)/, "");
}
