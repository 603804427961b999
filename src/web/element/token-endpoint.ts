/** One function for each endpoint: all elements that use it share a connection. */
const sources = new Map<string, () => Promise<string>>();

/** Gets tokens from an endpoint that answers `{"token"}`, with the cookies of the page's own origin. */
export function tokenFrom(endpoint: string): () => Promise<string> {
  const known = sources.get(endpoint);
  if (known !== undefined) return known;
  const source = async () => {
    const response = await fetch(endpoint, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`the token endpoint answered ${response.status}`);
    const { token } = (await response.json()) as { readonly token: string };
    return token;
  };
  sources.set(endpoint, source);
  return source;
}
