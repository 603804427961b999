import { expect, test } from "bun:test";
import { JetStreamRefusal, writeFailure } from "../../../../src/adapters/nats/nats-errors.ts";
import { BrokerUnavailable } from "../../../../src/application/errors.ts";

test("an append that the account has no room for is known not to be stored, and may be sent again", () => {
  const failure = writeFailure(
    new JetStreamRefusal(10_002, "insufficient resources: limits exceeded for account"),
  );
  expect(failure).toBeInstanceOf(BrokerUnavailable);
  expect((failure as BrokerUnavailable).trouble).toEqual({ cause: "full" });
});
