import type { PublishAnswer } from "./publish-answer.ts";
import { PublishRefused } from "./publish-errors.ts";
import { wordsOf } from "./thrown-fields.ts";

/** A fault of this process, as a token that is none, counts as a refusal: a later token may be one. */
export async function tried(attempt: () => Promise<PublishAnswer>): Promise<PublishAnswer> {
  try {
    return await attempt();
  } catch (error) {
    return {
      type: "refused",
      error: new PublishRefused(wordsOf(error), { code: "not_sent", status: 0, issues: [] }),
    };
  }
}
