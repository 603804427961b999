import { describe } from "bun:test";
import { inboxContract } from "../../src/testing/testing.ts";
import { emptyNatsInbox, LARGE_MESSAGES } from "../support/nats-under-test.ts";
import { needs } from "../support/needs.ts";
import { useNats } from "../support/use-nats.ts";

describe.skipIf(!needs("nats-server"))("the inbox on NATS", () => {
  const nats = useNats(LARGE_MESSAGES);

  inboxContract("NATS", () => emptyNatsInbox(nats), { fields: false, channels: true });
});
