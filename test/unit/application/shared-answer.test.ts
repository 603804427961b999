import { expect, test } from "bun:test";
import { SharedAnswer } from "../../../src/application/shared-answer.ts";
import { turn } from "../../support/turn.ts";

/** A question whose answers the test gives. */
function openQuestion() {
  const asked: PromiseWithResolvers<string>[] = [];
  const shared = new SharedAnswer(() => {
    const question = Promise.withResolvers<string>();
    asked.push(question);
    return question.promise;
  });
  return { asked, shared };
}

test("SharedAnswer asks once for callers that come before the question", async () => {
  const { asked, shared } = openQuestion();
  const answers = [shared.get(), shared.get()];
  await turn();
  expect(asked).toHaveLength(1);
  asked[0]?.resolve("first");
  expect(await Promise.all(answers)).toEqual(["first", "first"]);
});

test("SharedAnswer gives callers that come while an answer is out the next one, asked once for all of them", async () => {
  const { asked, shared } = openQuestion();
  const early = shared.get();
  await turn();
  const late = [shared.get(), shared.get()];
  await turn();
  expect(asked).toHaveLength(1);
  asked[0]?.resolve("first");
  expect(await early).toBe("first");
  await turn();
  expect(asked).toHaveLength(2);
  asked[1]?.resolve("second");
  expect(await Promise.all(late)).toEqual(["second", "second"]);
});

test("SharedAnswer tells a failure to those who asked, and asks again for the others", async () => {
  const { asked, shared } = openQuestion();
  const early = shared.get();
  await turn();
  const late = shared.get();
  asked[0]?.reject(new Error("away"));
  await expect(early).rejects.toThrow("away");
  await turn();
  asked[1]?.resolve("second");
  expect(await late).toBe("second");
});
