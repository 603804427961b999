/** Stands for the authority of a request that names none; nobody is ever asked for it. */
const NO_HOST = "http://host.invalid";

/** Most hosts, so that the others alone are parsed. */
const PLAIN_HOST = /^[a-z0-9_.-]+(?::\d{1,4})?$/i;
/** Visible ASCII, without what would end the host or begin with a user. */
const HOST = /^(?:(?![/?#@\\])[!-~])+$/;

/**
 * The request with a whole URL, whose path is the one that was asked for. Bun's is the bare target, `/ready`, if the
 * Host header is missing, is empty or names no host: whoever cut a path out of that would take its first segment for
 * the host.
 */
export function addressed(request: Request): Request {
  const { url } = request;
  return url.startsWith("/") ? new Request(new URL(NO_HOST + url), request) : request;
}

/** Whether a Host header is good: an empty one and none name nobody, which is no fault. */
export function isHostHeader(host: string | null): boolean {
  if (host === null || host === "" || PLAIN_HOST.test(host)) return true;
  return HOST.test(host) && URL.canParse(`http://${host}`);
}
