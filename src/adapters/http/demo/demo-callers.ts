import type { MiddlewareHandler } from "hono";
import { isOwnOrigin } from "../../../session/origin-policy.ts";
import { problem } from "../problem.ts";

/**
 * Refuses whoever asks for another host than this machine: a page whose name was made to lead here (DNS rebinding)
 * is of one origin with the gateway for its browser, and would be given a token. A request that names no host comes
 * from no browser.
 */
export const ownNamesOnly: MiddlewareHandler = async (context, next) => {
  const host = context.req.header("Host") ?? "";
  if (host !== "" && !namesThisMachine(host)) return problem(context, "host_not_allowed");
  return next();
};

/** Refuses pages of other origins. A request without the headers of a browser is not refused for it. */
export const ownPageOnly: MiddlewareHandler = async (context, next) => {
  const { origin, host, site } = {
    origin: context.req.header("Origin"),
    host: context.req.header("Host") ?? null,
    site: context.req.header("Sec-Fetch-Site"),
  };
  if (site === "cross-site" || (origin !== undefined && !isOwnOrigin(origin, host))) {
    return problem(context, "origin_not_allowed", { detail: "The demo answers to its own page alone." });
  }
  return next();
};

/** Whether a Host header names this machine: `localhost`, what ends in `.localhost`, a loopback address; any port. */
function namesThisMachine(host: string): boolean {
  const name = (URL.parse(`http://${host}`)?.hostname ?? "").replace(/\.$/, "");
  return /^(?:.+\.)?localhost$|^127\.\d+\.\d+\.\d+$|^\[::1\]$/.test(name);
}
