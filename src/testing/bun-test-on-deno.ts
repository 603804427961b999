import * as node from "node:test";
import { expect } from "expect";

/**
 * The part of `bun:test` that the contract suites use, and the unit tests of the core, for Deno: the same files run on both.
 * The imports in `deno.json` put it in the place of `bun:test`.
 */
export { expect };

expect.extend({
  toStartWith: (received: unknown, beginning: string) =>
    verdict(
      typeof received === "string" && received.startsWith(beginning),
      received,
      "start with",
      beginning,
    ),
  toEndWith: (received: unknown, end: string) =>
    verdict(typeof received === "string" && received.endsWith(end), received, "end with", end),
  toBeWithin: (received: unknown, least: number, beyond: number) =>
    verdict(Number(received) >= least && Number(received) < beyond, received, "be within", least, beyond),
});

function verdict(pass: boolean, received: unknown, words: string, ...wanted: readonly unknown[]) {
  const negation = pass ? " not" : "";
  return {
    pass,
    message: () => `expected ${show(received)}${negation} to ${words} ${wanted.map(show).join(", ")}`,
  };
}

export const beforeAll = node.before;
export const beforeEach = node.beforeEach;
export const afterAll = node.after;
export const afterEach = node.afterEach;

type Body = (...row: never[]) => unknown;
type Declare = (name: string, body: Body) => void;

export const test = withVariants(
  (name, body) => void node.test(name, async () => void (await body())),
  (name) => void node.test.skip(name),
);
export const it = test;

export const describe = withVariants(
  (name, body) => void node.describe(name, () => void body()),
  (name) => void node.describe.skip(name),
);

/** A function that remembers how it was called, in the form that `expect` reads. */
export function mock<F extends Body>(implementation?: F) {
  const calls: unknown[][] = [];
  const results: { type: "return" | "throw"; value: unknown }[] = [];
  const called = function (this: unknown, ...row: never[]): unknown {
    calls.push(row);
    try {
      const value = implementation?.apply(this, row);
      results.push({ type: "return", value });
      return value;
    } catch (error) {
      results.push({ type: "throw", value: error });
      throw error;
    }
  };
  return Object.assign(called, {
    _isMockFunction: true,
    getMockName: () => "mock",
    mock: { calls, results },
  });
}

export function spyOn<K extends string>(target: Record<K, Body>, name: K) {
  const original = target[name];
  const mockRestore = () => {
    target[name] = original;
  };
  const spy = Object.assign(mock(original), { mockRestore });
  target[name] = spy;
  return spy;
}

function withVariants(declare: Declare, skip: Declare) {
  const each =
    <Row>(rows: readonly Row[]) =>
    (name: string, body: Body) => {
      rows.forEach((row, index) => {
        const values = (Array.isArray(row) ? row : [row]) as never[];
        declare(`${title(name, values, index)}`, () => body(...values));
      });
    };
  const when = (run: boolean) => (run ? declare : skip);
  return Object.assign(declare, { each, skip, if: when, skipIf: (condition: boolean) => when(!condition) });
}

/** The name of one row: `%s` and its like take the values in turn, `%#` the index, `$key` a field of the first. */
function title(name: string, values: readonly unknown[], index: number): string {
  const rest = [...values];
  return name
    .replace(/%([#%sdifjop])/g, (_, sign: string) => {
      if (sign === "%") return "%";
      return sign === "#" ? `${index}` : show(rest.shift());
    })
    .replace(/\$(\w+)/g, (whole, key: string) => {
      const first = values[0] as Readonly<Record<string, unknown>> | null | undefined;
      return typeof first === "object" && first !== null && key in first ? show(first[key]) : whole;
    });
}

function show(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
}
