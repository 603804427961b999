import { BrokerUnavailable, OutcomeUnknown, reasonOf } from "../../application/errors.ts";
import type { EventStream, Publication, PublicationAnswer } from "./event-stream.ts";

/**
 * Publishes a message that counts only if it is stored before its deadline. Rejects as `EventStream.publish`, and with
 * `BrokerUnavailable` if it was stored later, so that it is void.
 */
export async function publishInTime(
  stream: EventStream,
  publication: Publication,
  lineage: string,
): Promise<PublicationAnswer> {
  const answer = await stream.publish(publication, lineage);
  if (answer.type !== "stored" || answer.isInTime) return answer;
  const stored = await storedAt(stream, answer.sequence);
  if (stored !== undefined && stored < publication.deadline) return answer;
  throw new BrokerUnavailable("NATS stored it after its deadline, so that it is void", {
    trouble: { cause: "late" },
  });
}

async function storedAt(stream: EventStream, sequence: number): Promise<number | undefined> {
  try {
    return (await stream.at(sequence))?.at;
  } catch (error) {
    // It is stored, and nobody can say when.
    throw new OutcomeUnknown(`NATS does not say when it stored it: ${reasonOf(error)}`, { cause: error });
  }
}
