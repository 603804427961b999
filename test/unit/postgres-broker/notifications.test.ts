import { describe, expect, test } from "bun:test";
import { decode, encode, type Notification } from "../../../examples/postgres-broker/src/notifications.ts";
import type { EventKind } from "../../../src/domain/event-kind.ts";

const MOST_BYTES = 7_999;

function event(text = '{"event_id":"abc-7","note":"x"}', kind: EventKind = "status", reopens = false) {
  return { position: { epoch: "abc", offset: 7 }, kind, reopens, text } as const;
}

const KINDS: EventKind[] = ["status", "status_completed", "status_failed", "result", "error", "notice"];

describe("a notification", () => {
  test.each<[string, Notification]>([
    ...KINDS.flatMap((kind): [string, Notification][] =>
      [false, true].map((reopens) => [
        `${kind}, reopens: ${reopens}`,
        { type: "event", channel: "analysis:1", event: event(undefined, kind, reopens) },
      ]),
    ),
    [
      "a cancelled status, stored as a failed one",
      {
        type: "event",
        channel: "analysis:1",
        event: event('{"event_id":"abc-7","current_stage":"cancelled"}', "status_cancelled"),
      },
    ],
    ["a name with colons and digits", { type: "event", channel: "user:12:34:é", event: event() }],
    ["an event that is not carried", { type: "stored", channel: "user:1:2", offset: 9 }],
    ["viewers", { type: "viewers", channel: "analysis:1", viewers: '["alice"]' }],
    ["viewers that are not carried", { type: "viewers", channel: "analysis:1", viewers: undefined }],
    ["a probe", { type: "probe", name: "p" }],
    ["an entry of the outbox", { type: "added" }],
  ])("is read as it was written: %s", (_, notification) => {
    expect(decode(encode(notification))).toEqual(notification);
  });

  test("carries an event of exactly as many bytes as PostgreSQL takes, and refers to one with a byte more", () => {
    const channel = "analysis:1";
    const around = encode({ type: "event", channel, event: event("") }).length;
    const start = '{"event_id":"abc-7","note":"';
    // Two bytes a character, so that counting characters would carry twice as much.
    const wide = "é".repeat(Math.floor((MOST_BYTES - around - start.length - 2) / 2));
    const padding = "x".repeat((MOST_BYTES - around - start.length - 2) % 2);
    const fits = `${start}${wide}${padding}"}`;
    const payload = encode({ type: "event", channel, event: event(fits) });
    expect([Buffer.byteLength(payload), decode(payload)?.type]).toEqual([MOST_BYTES, "event"]);
    const larger = encode({ type: "event", channel, event: event(fits.replace('"}', 'x"}')) });
    expect(decode(larger)).toEqual({ type: "stored", channel, offset: 7 });
  });

  test("leaves out viewers that are too many", () => {
    const viewers = JSON.stringify(Array.from({ length: 2_000 }, (_, n) => `é${n}`));
    const payload = encode({ type: "viewers", channel: "analysis:1", viewers });
    expect(decode(payload)).toEqual({ type: "viewers", channel: "analysis:1", viewers: undefined });
  });

  test.each(["", "x", "hello", "e0", "e9012:analysis:1{}", 'e0010:analysis:1{"note":1}', "s3:abcx"])(
    "is none if somebody else wrote it: %j",
    (payload) => expect(decode(payload)).toBeUndefined(),
  );
});
