import { expect, test } from "bun:test";
import { forgetFunction, lastingFunction } from "../../../src/web/element/token-function.ts";

const says = (token: string) => () => token;

test("the elements that have one function use one, which asks the latest that the page gave to all of them", () => {
  const [first, second] = [{ token: says("a") }, { token: says("?") }];
  second.token = first.token;
  const ask = lastingFunction(first, first.token);
  expect(lastingFunction(second, second.token)).toBe(ask);
  first.token = second.token = says("b");
  for (const user of [second, first]) expect(lastingFunction(user, user.token)).toBe(ask);
  expect(ask()).toBe("b");
});

test("an element that alone is given another function leaves the others theirs, and one that has gone holds nobody", () => {
  const [first, second] = [{ token: says("a") }, { token: says("?") }];
  second.token = first.token;
  const ask = lastingFunction(first, first.token);
  lastingFunction(second, second.token);
  second.token = says("of another user");
  const other = lastingFunction(second, second.token);
  expect([ask(), other()]).toEqual(["a", "of another user"]);
  // It comes to the function of an element that goes, and asks for itself from then on.
  first.token = second.token;
  expect(lastingFunction(first, first.token)).toBe(other);
  forgetFunction(second);
  first.token = says("c");
  expect(lastingFunction(first, first.token)).toBe(other);
  expect(other()).toBe("c");
});
