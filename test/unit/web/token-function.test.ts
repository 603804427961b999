import { expect, test } from "bun:test";
import { forgetFunction, lastingFunction } from "../../../src/web/element/token-function.ts";

const says = (token: string) => () => token;

test("the elements that have one function use that, and one that asks the latest once the page gave others in its place", () => {
  const [first, second] = [{ token: says("a") }, { token: says("?") }];
  second.token = first.token;
  for (const user of [first, second]) expect(lastingFunction(user, user.token)).toBe(first.token);
  first.token = second.token = says("b");
  const ask = lastingFunction(second, second.token);
  expect(lastingFunction(first, first.token)).toBe(ask);
  expect(ask()).toBe("b");
  first.token = second.token = says("c");
  for (const user of [first, second]) expect(lastingFunction(user, user.token)).toBe(ask);
  expect(ask()).toBe("c");
});

test("an element that alone is given another function leaves the others theirs, and one that has gone holds nobody", () => {
  const [first, second] = [{ token: says("a") }, { token: says("?") }];
  second.token = first.token;
  for (const user of [first, second]) lastingFunction(user, user.token);
  first.token = second.token = says("b");
  const ask = lastingFunction(first, first.token);
  lastingFunction(second, second.token);
  second.token = says("of another user");
  const other = lastingFunction(second, second.token);
  expect([ask(), other()]).toEqual(["b", "of another user"]);
  // It comes back to the others and goes: the one that is left is asked for itself.
  second.token = first.token;
  expect(lastingFunction(second, second.token)).toBe(ask);
  forgetFunction(second);
  first.token = says("c");
  expect(lastingFunction(first, first.token)).toBe(ask);
  expect(ask()).toBe("c");
});
