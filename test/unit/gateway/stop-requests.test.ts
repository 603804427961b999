import { describe, expect, test } from "bun:test";
import { type StopRequest, StopRequests } from "../../../src/gateway/stop-requests.ts";

type Heard = readonly (readonly ["SIGINT" | "SIGTERM", number])[];

describe("StopRequests", () => {
  test.each<[string, Heard, readonly (StopRequest | undefined)[]]>([
    [
      "OPS-17: a second signal ends the gateway",
      [
        ["SIGTERM", 0],
        ["SIGTERM", 1],
      ],
      ["drain", "end"],
    ],
    [
      "OPS-17: so does another one",
      [
        ["SIGINT", 0],
        ["SIGTERM", 1],
      ],
      ["drain", "end"],
    ],
    [
      "OPS-17: a press of Ctrl-C that comes twice drains",
      [
        ["SIGINT", 0],
        ["SIGINT", 499],
      ],
      ["drain", undefined],
    ],
    [
      "OPS-17: the next press ends",
      [
        ["SIGINT", 0],
        ["SIGINT", 3],
        ["SIGINT", 800],
      ],
      ["drain", undefined, "end"],
    ],
    [
      "OPS-17: a third asks nothing new",
      [
        ["SIGTERM", 0],
        ["SIGTERM", 1],
        ["SIGINT", 9],
      ],
      ["drain", "end", undefined],
    ],
  ])("%s", (_, heard, asked) => {
    const requests = new StopRequests();
    expect(heard.map(([signal, at]) => requests.next(signal, at))).toEqual([...asked]);
  });
});
