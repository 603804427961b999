import { describe, expect, test } from "bun:test";
import { tokenChecks } from "../../../../src/client/tabs/token-check.ts";
import { type Environment, runtime } from "../../../../src/client/watch/environment.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import { settled } from "../watch/scripted-gateway.ts";

const TOKEN_MS = 60_000;
const TOKEN = `a.${btoa(JSON.stringify({ exp: TOKEN_MS / 1_000 })).replaceAll("=", "")}.c`;

/** A tab whose requests are answered so, one after the other; with the last answer from then on. */
function checkedTab(answers: readonly (Response | Error)[]) {
  const clock = new ManualClock(0);
  const closing = new AbortController();
  const told: string[] = [];
  const asked: string[] = [];
  const fetch = async (url: string, { headers }: RequestInit) => {
    asked.push(`${url} ${new Headers(headers).get("Authorization")}`);
    const answer = answers[Math.min(asked.length, answers.length) - 1] as Response | Error;
    if (answer instanceof Error) throw answer;
    return answer.clone() as Response;
  };
  const after = (milliseconds: number, task: () => void) => clock.after(milliseconds, task);
  const environment: Environment = { ...runtime, now: () => clock.now(), after, fetch };
  const request = { base: "http://gateway", token: TOKEN, conflate: "none" as const, environment };
  const check = tokenChecks(() => told.push("has a connection of its own"))({
    request,
    signal: closing.signal,
    analysisId: () => "a/b",
    now: () => clock.now(),
    ended: (code) => told.push(`ended ${code}`),
  });
  const take = async (token = TOKEN) => {
    check.take(token, () => told.push("taken"));
    await settled();
  };
  return { take, told, asked, clock, closing };
}

const problem = (status: number, code: string) => Response.json({ code }, { status });

describe("the token of a tab that another one leads", () => {
  test("SDK-20: is judged by a read of an analysis of the tab", async () => {
    const { take, told, asked } = checkedTab([Response.json({})]);
    await take();
    expect(told).toEqual(["taken"]);
    expect(asked).toEqual([`http://gateway/v1/analyses/a%2Fb Bearer ${TOKEN}`]);
  });

  test.each([
    [problem(401, "token_invalid"), "ended 4001"],
    [problem(429, "too_many_requests"), "ended 4029"],
    [problem(503, "shutting_down"), "ended 1013"],
    [new Response("<p>login</p>", { status: 401 }), "ended 1006"],
    [new TypeError("offline"), "ended 1006"],
    // Nobody has judged the token.
    [problem(500, "internal"), "ended 1006"],
    [problem(404, "not_found"), "ended 1006"],
    // The gateway has taken the token, and judged the analysis.
    [problem(403, "not_declared"), "taken"],
    [problem(400, "not_an_analysis_id"), "taken"],
  ])("SDK-20: is taken or not as the gateway answers, case %#", async (answer, then) => {
    const { take, told } = checkedTab([answer]);
    await take();
    expect(told).toEqual([then]);
  });

  test("SDK-20: is judged again when it ends, as long as the tab is there", async () => {
    const { take, told, clock, asked } = checkedTab([
      Response.json({}),
      Response.json({}),
      problem(401, "token_expired"),
    ]);
    await take();
    clock.advance(TOKEN_MS - 1);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    await settled();
    expect([...told, asked.length]).toEqual(["taken", 2]);
    clock.advance(10_000);
    await settled();
    expect(told).toEqual(["taken", "ended 4001"]);
  });

  test("SDK-20: counts no more if another one takes its place while it is judged", async () => {
    const { take, told } = checkedTab([problem(401, "token_expired"), Response.json({})]);
    await Promise.all([take(), take(`${TOKEN}d`)]);
    expect(told).toEqual(["taken"]);
  });

  test("SDK-20: has a connection of its own to judge it if no request gets through three times in a row", async () => {
    const { take, told } = checkedTab([new TypeError("blocked")]);
    await take();
    await take();
    expect(told).toEqual(["ended 1006", "ended 1006"]);
    await take();
    expect(told.slice(2)).toEqual(["ended 1006", "has a connection of its own"]);
  });

  test("SDK-20: is judged no more when the tab has gone", async () => {
    const refused = checkedTab([problem(401, "token_invalid")]);
    const taking = refused.take();
    refused.closing.abort();
    await taking;
    expect(refused.told).toEqual([]);
    const taken = checkedTab([Response.json({})]);
    await taken.take();
    taken.closing.abort();
    taken.clock.advance(TOKEN_MS);
    await settled();
    expect(taken.asked).toHaveLength(1);
  });
});
