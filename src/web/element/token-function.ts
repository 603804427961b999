export type TokenFunction = () => string | Promise<string>;

/** An element with its property `token` as the page set it. */
interface TokenUser {
  readonly token: unknown;
}

interface Source {
  latest: TokenFunction;
  readonly ask: TokenFunction;
  /** Whether `ask` asks the latest. */
  readonly isLasting: boolean;
  readonly users: Set<TokenUser>;
}

const sourceOf = new WeakMap<TokenFunction, Source>();
const usedBy = new WeakMap<TokenUser, Source>();

/**
 * One function for all elements that have this one, and so one connection. At first it is this one itself, so that a `watch` of the page with it
 * shares the connection too. If the page gives all of these elements another function in its place, as a component does that makes a new one
 * each time it is rendered, the answer is a function that asks the latest one, and stays the same from then on.
 */
export function lastingFunction(user: TokenUser, token: TokenFunction): TokenFunction {
  const used = usedBy.get(user);
  const isInPlace =
    used !== undefined && !sourceOf.has(token) && [...used.users].every((one) => one.token === token);
  if (isInPlace && used.isLasting) {
    sourceOf.delete(used.latest);
    used.latest = token;
    sourceOf.set(token, used);
    return used.ask;
  }
  const source = sourceOf.get(token) ?? sourceFor(token, isInPlace);
  if (source !== used) forgetFunction(user);
  source.users.add(user);
  usedBy.set(user, source);
  return source.ask;
}

/** To be called when an element uses none any more. */
export function forgetFunction(user: TokenUser): void {
  usedBy.get(user)?.users.delete(user);
  usedBy.delete(user);
}

function sourceFor(token: TokenFunction, isLasting: boolean): Source {
  const ask = isLasting ? () => source.latest() : token;
  const source: Source = { latest: token, ask, isLasting, users: new Set() };
  sourceOf.set(token, source);
  return source;
}
