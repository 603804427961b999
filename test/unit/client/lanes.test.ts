import { expect, test } from "bun:test";
import { Lanes } from "../../../src/client/lanes.ts";

test("a lane keeps nothing once its last task is over, however it ended", async () => {
  const lanes = new Lanes();
  const failing = lanes.run("a", () => Promise.reject(new Error("no")));
  const following = lanes.run("a", async () => "yes");
  const other = lanes.run("b", async () => "other");
  expect(lanes.busy).toBe(2);
  expect(await Promise.allSettled([failing, following, other])).toMatchObject([
    { status: "rejected" },
    { value: "yes" },
    { value: "other" },
  ]);
  expect(lanes.busy).toBe(0);
});

test("a task starts only when the one before it in the lane is over", async () => {
  const lanes = new Lanes();
  const first = Promise.withResolvers<void>();
  const started: string[] = [];
  const one = lanes.run("a", () => {
    started.push("one");
    return first.promise;
  });
  const two = lanes.run("a", async () => void started.push("two"));
  await lanes.run("b", async () => void started.push("beside"));
  expect(started).toEqual(["one", "beside"]);
  first.resolve();
  await Promise.all([one, two]);
  expect(started).toEqual(["one", "beside", "two"]);
});
