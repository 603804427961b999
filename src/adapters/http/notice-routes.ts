import { Hono } from "hono";
import type { AccessPolicy } from "../../application/access-policy.ts";
import type { BroadcastEvent } from "../../application/broadcast-event.ts";
import type { TokenVerifierPort } from "../../application/ports/token-verifier-port.ts";
import {
  isUserId,
  MAX_USER_ID_BYTES,
  type NoticeChannel,
  SYSTEM_CHANNEL,
  userChannel,
} from "../../domain/channel.ts";
import { nestingOf } from "../../domain/json-nesting.ts";
import { problem } from "./problem.ts";
import { answer } from "./publish-routes.ts";
import { idempotencyKey, parsedJson, requestText } from "./request-text.ts";
import { type Granted, requireNotifier, requireScope } from "./require-scope.ts";

interface NoticeParts {
  readonly tokens: TokenVerifierPort;
  readonly access: AccessPolicy;
  readonly broadcast: BroadcastEvent;
}

/** The route for notices: for one user, or for everybody if the body has no `user_id` at all. */
export function noticeRoutes({ tokens, access, broadcast }: NoticeParts): Hono<Granted> {
  const scope = requireScope(tokens, "notice:publish");
  return new Hono<Granted>().post("/", scope, requireNotifier(access), async (context) => {
    const idempotency = idempotencyKey(context);
    if (!idempotency.ok) return problem(context, "invalid_idempotency_key");
    const text = await requestText(context);
    const addressee = text === undefined ? undefined : addresseeOf(text);
    if (text === undefined || addressee === undefined) return problem(context, "not_json");
    if (addressee.type === "invalid") {
      const message = `must be text that is not blank, of at most ${MAX_USER_ID_BYTES} bytes`;
      return problem(context, "invalid_event", { issues: [{ path: ["user_id"], message }] });
    }
    return answer(context, await broadcast.execute(addressee.channel, text, idempotency.key));
  });
}

type Addressee = { readonly type: "channel"; readonly channel: NoticeChannel } | { readonly type: "invalid" };

/** Undefined if the body is not JSON. */
function addresseeOf(text: string): Addressee | undefined {
  const everybody: Addressee = { type: "channel", channel: SYSTEM_CHANNEL };
  // The rules of events also refuse a body that is nested too deep to be parsed.
  if (nestingOf(text).type !== "fine") return everybody;
  const body = parsedJson(text);
  if (body === undefined) return undefined;
  // The rules of events refuse anything but an object, in their own words.
  // A program that lost its user sends null or a blank. Its notice, meant for one user, must not reach everybody.
  if (typeof body !== "object" || body === null || !("user_id" in body)) return everybody;
  const { user_id } = body;
  if (typeof user_id !== "string" || !isUserId(user_id)) return { type: "invalid" };
  return { type: "channel", channel: userChannel(user_id) };
}
