import type { MiddlewareHandler } from "hono";
import { isOwnOrigin } from "../../../session/origin-policy.ts";
import { problem } from "../problem.ts";

/**
 * Refuses a request for another host than this machine. If an attacker's name leads here (DNS rebinding), the browser takes
 * the attacker's page and the gateway for one origin, and the demo would give the page a token. A request that names no
 * host comes from no browser.
 */
export const ownNamesOnly: MiddlewareHandler = async (context, next) => {
  const host = context.req.header("Host") ?? "";
  if (host !== "" && !namesThisMachine(host)) return problem(context, "host_not_allowed");
  return next();
};

/** Refuses pages of other origins. It lets a request without the headers of a browser through. */
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

/** Whether a Host header names this machine: `localhost`, a name below it, or a loopback address, with any port. */
function namesThisMachine(host: string): boolean {
  const name = (URL.parse(`http://${host}`)?.hostname ?? "").replace(/\.$/, "");
  return /^(?:.+\.)?localhost$|^127\.\d+\.\d+\.\d+$|^\[::1\]$/.test(name);
}
