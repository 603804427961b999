/** Far more often than a channel can be trimmed between two questions. */
const MOST_READINGS = 20;

/**
 * Reads until `read` gives an answer: it gives undefined if something changed between its questions. It is told how often it
 * has read already. Rejects if it changes on and on, which means that the stream has lost a message that it should have.
 */
export async function readAgain<Answer>(
  read: (readBefore: number) => Promise<Answer | undefined>,
): Promise<Answer> {
  for (let reading = 0; reading < MOST_READINGS; reading++) {
    const answer = await read(reading);
    if (answer !== undefined) return answer;
  }
  throw new Error("the stream lacks a message that a channel refers to");
}
