import { AccessUndecided, reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { VerifiedToken } from "../../domain/access-grant.ts";
import { isUserId, MAX_USER_ID_BYTES, parseAnalysisId } from "../../domain/channel.ts";
import { cookiesCount, isOriginAllowed, type OriginPolicy } from "../../session/origin-policy.ts";
import type { PresentedToken } from "../../session/presented-token.ts";

/** Somebody whom the application knows, and their rights. */
export interface Grant {
  /** The user who watches, at most 256 bytes. A program that only publishes needs none. */
  readonly userId?: string | undefined;
  /** The analyses that they may watch and publish, or `"*"`. If left out, declared viewers and WATCH_DEFAULT decide. */
  readonly analyses?: "*" | readonly string[] | ReadonlySet<string> | undefined;
  /** Whether they may publish events and declare viewers over HTTP. No if left out. */
  readonly mayPublish?: boolean | undefined;
  /** Whether they may ask the workers of analyses that they may watch to end. No if left out. */
  readonly mayCancel?: boolean | undefined;
  /** Whether they may publish notices over HTTP. No if left out. */
  readonly mayNotify?: boolean | undefined;
  /** Their connections are closed with 4001 then. Never if left out. */
  readonly expiresAt?: Date | undefined;
}

/**
 * Says whose request it is: undefined if the application does not know, which is 401 or 4001. The request has no body. If
 * the function throws, the client is told to come back: nobody can decide now.
 *
 * A browser sends cookies by itself. So a request of a page whose origin is not allowed is never asked about, and a
 * request that another site may have caused comes without its `Cookie` header. If every origin is allowed, that is each.
 */
export type Authenticate = (request: Request) => Grant | undefined | Promise<Grant | undefined>;

interface AskingParts {
  readonly policy: OriginPolicy;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/** The client of each request, as the function of the application says. */
export function askedOf(
  authenticate: Authenticate,
  { policy, clock, telemetry }: AskingParts,
): (request: Request) => PresentedToken {
  return (request) => ({
    type: "asked",
    holder: async () => {
      const shown = shownRequest(request, policy);
      if (shown === undefined) return undefined;
      try {
        const grant = await authenticate(shown);
        const holder = grant && verified(grant);
        return holder !== undefined && holder.expiresAt > clock.now() ? holder : undefined;
      } catch (error) {
        telemetry.log("error", "the application could not say whose request it is", {
          message: reasonOf(error),
        });
        throw new AccessUndecided(reasonOf(error));
      }
    },
  });
}

/** The request as the application may see it; undefined if it may not be asked. */
function shownRequest(
  { url, method, headers: received }: Request,
  policy: OriginPolicy,
): Request | undefined {
  const headers = new Headers(received);
  const origin = headers.get("Origin");
  if (!isOriginAllowed(origin, headers.get("Host"), policy)) return undefined;
  const maybeOtherSite = origin === null && headers.get("Sec-Fetch-Site") === "cross-site";
  if (maybeOtherSite || !cookiesCount(policy)) headers.delete("Cookie");
  return new Request(url, { method, headers });
}

/** The last moment that a `Date` can hold. */
const NEVER = 8_640_000_000_000_000;

/** Throws a TypeError if the grant breaks a rule. No message holds a value of it. */
function verified({ userId, analyses, mayPublish, mayCancel, mayNotify, expiresAt }: Grant): VerifiedToken {
  if (userId !== undefined && (typeof userId !== "string" || !isUserId(userId)))
    throw new TypeError(`userId must be text that is not blank, of at most ${MAX_USER_ID_BYTES} bytes`);
  const expires = expiresAt === undefined ? NEVER : expiresAt.getTime();
  if (Number.isNaN(expires)) throw new TypeError("expiresAt must be a valid Date");
  const scopes = new Set<string>();
  if (mayPublish === true) scopes.add("analysis:publish");
  if (mayCancel === true) scopes.add("analysis:cancel");
  if (mayNotify === true) scopes.add("notice:publish");
  return { userId, scopes, analyses: idsOf(analyses), expiresAt: expires, unreadable: {} };
}

function idsOf(analyses: Grant["analyses"]): VerifiedToken["analyses"] {
  if (analyses === undefined || analyses === "*") return analyses;
  return new Set(
    Array.from(analyses, (text) => {
      const id = typeof text === "string" ? parseAnalysisId(text) : undefined;
      if (id === undefined) throw new TypeError('analyses must be "*" or a list of UUIDs');
      return id;
    }),
  );
}
