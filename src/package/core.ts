/**
 * `telltale/core`: a gateway inside an application, on the application's own server and authentication.
 * docs/EMBEDDING.md shows it on Bun, Deno and hono. An import starts nothing.
 */
export { JoseTokenVerifier } from "../adapters/jwt/jose-token-verifier.ts";
export { SystemClock } from "../adapters/system/system-clock.ts";
export type { AccessPolicy, PublishVerdict, WatchAccess } from "../application/access-policy.ts";
export { AccessUndecided, TokenRejected } from "../application/errors.ts";
export type {
  ClientConnectionPort,
  Frame,
  SendOutcome,
} from "../application/ports/client-connection-port.ts";
export type { TokenVerifierPort } from "../application/ports/token-verifier-port.ts";
export { PublishRefused } from "../client/publish-errors.ts";
export type { VerifiedToken, WatchVerdict } from "../domain/access-grant.ts";
export { createTelltale, type Telltale } from "../gateway/embedded/create-telltale.ts";
export type { PublishedInProcess, PublishOptions } from "../gateway/embedded/in-process-publisher.ts";
export type { Authenticate, Grant } from "../gateway/embedded/own-authentication.ts";
export { OptionsRefused, type TelltaleOptions } from "../gateway/embedded/telltale-options.ts";
export type { AcceptedSocket } from "../session/accepted-socket.ts";
