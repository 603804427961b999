import { expect, test } from "bun:test";
import type { EventStream, PublicationAnswer } from "../../../../src/adapters/nats/event-stream.ts";
import { publishInTime } from "../../../../src/adapters/nats/publish-in-time.ts";
import { BrokerUnavailable } from "../../../../src/application/errors.ts";
import { SimulatedNats, SimulatedStream } from "../../../model/nats-server.ts";

/** A stream that answers after the deadline, and then breaks. */
class LateStream extends SimulatedStream {
  override async publish(): Promise<PublicationAnswer> {
    return { type: "stored", sequence: 1, isInTime: false };
  }

  override async at(): Promise<undefined> {
    throw new BrokerUnavailable("the connection broke");
  }
}

test("PS-30 publishInTime() calls the outcome unknown if nobody says when the message was stored", async () => {
  const stream: EventStream = new LateStream(new SimulatedNats(), 0, true);
  const publication = { subject: "s", text: "", expected: 0, deadline: 1 };
  const publishing = publishInTime(stream, publication, stream.lineage);
  await expect(publishing).rejects.toMatchObject({ code: "outcome_unknown" });
});
