import { describe, expect, test } from "bun:test";
import { CLOSE_CODES, closeCodeOf, retryAfterOf, retryAfterReason } from "../../../src/domain/close-code.ts";

describe("close codes", () => {
  test("every code of the contract is there, with what a client does after it", () => {
    expect(Object.values(CLOSE_CODES).map(({ code, reconnect }) => [code, reconnect])).toEqual([
      [1000, "no"],
      [1001, "after_hint"],
      [1009, "no"],
      [1013, "after_hint"],
      [4001, "with_new_token"],
      [4003, "no"],
      [4004, "no"],
      [4008, "yes"],
      [4009, "yes"],
      [4010, "without_position"],
      [4029, "with_backoff"],
      [4400, "no"],
    ]);
  });

  test("closeCodeOf() knows its own and no other", () => {
    expect(closeCodeOf(4009)?.name).toBe("too_slow");
    expect(closeCodeOf(1006)).toBeUndefined();
  });

  test("retryAfterOf() reads what retryAfterReason() wrote, and nothing else", () => {
    expect(retryAfterReason(1499.6)).toBe("retry_after_ms=1500");
    expect(retryAfterReason(-5)).toBe("retry_after_ms=0");
    expect(retryAfterOf("retry_after_ms=1500")).toBe(1500);
    expect(retryAfterOf("server going away; soon")).toBeUndefined();
    expect(retryAfterOf("retry_after_ms=-1")).toBeUndefined();
  });
});
