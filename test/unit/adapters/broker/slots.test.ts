import { describe, expect, test } from "bun:test";
import { Slots } from "../../../../src/adapters/broker/slots.ts";
import { turn } from "../../../support/turn.ts";

describe("Slots", () => {
  test("so many pieces of work run at once, the others in their order, whether they succeed or fail", async () => {
    const slots = new Slots(2);
    const begun: number[] = [];
    const works = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
    const done = works.map(({ promise }, index) =>
      slots.run(() => {
        begun.push(index);
        return promise;
      }),
    );
    await turn();
    expect(begun).toEqual([0, 1]);
    works[1]?.reject(new Error("failed"));
    expect((await Promise.allSettled([done[1]]))[0]?.status).toBe("rejected");
    expect(begun).toEqual([0, 1, 2]);
    works[0]?.resolve(0);
    expect(await done[0]).toBe(0);
    await turn();
    expect(begun).toEqual([0, 1, 2, 3]);
    for (const [index, { resolve }] of works.entries()) resolve(index);
    expect(await Promise.all([done[2], done[3], done[4]])).toEqual([2, 3, 4]);
  });

  test("a caller that comes when a slot is handed on waits behind earlier ones", async () => {
    const slots = new Slots(1);
    const order: string[] = [];
    const work = (name: string) => slots.run(async () => void order.push(name));
    const first = work("first").then(() => work("third"));
    await Promise.all([first, work("second")]);
    expect(order).toEqual(["first", "second", "third"]);
  });
});
