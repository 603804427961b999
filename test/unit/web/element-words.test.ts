import { describe, expect, test } from "bun:test";
import type { AnalysisState, ConnectionStatus, WatchSnapshot } from "../../../src/client/sdk.ts";
import { emptyState } from "../../../src/domain/analysis-state.ts";
import { figuresIn } from "../../../src/web/element/element-figures.ts";
import { ENGLISH, sayer } from "../../../src/web/element/element-texts.ts";
import { type Shown, shownOf } from "../../../src/web/element/element-words.ts";
import { snippetOf } from "../../support/documents.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
const LIVE: ConnectionStatus = { status: "live", transport: "websocket" };
const LOST: ConnectionStatus = { status: "waiting", code: 1006, reason: "", retryAt: NOW };
const refused = (code: number, reason: string): ConnectionStatus => ({ status: "refused", code, reason });

/** All that the element shows of an analysis with these fields; of none if they are null. */
function shown(
  fields: Partial<AnalysisState> | null,
  connection = LIVE,
  texts: Readonly<Record<string, string>> = {},
  language = "en",
): Required<Shown> {
  const analysis =
    fields && ({ ...emptyState(crypto.randomUUID()), status: "running", ...fields } as AnalysisState);
  const cancelRequested = analysis?.cancel_requested ?? null;
  const snapshot: WatchSnapshot = { connection, analysis, stalled: false, cancelRequested };
  return shownOf(snapshot, sayer(texts), figuresIn(language), NOW) as Required<Shown>;
}

const inSeconds = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();
const result = (data: unknown, summary: string | null = null) =>
  ({ status: "completed", result: { event_type: "result", data, summary } }) as Partial<AnalysisState>;

describe("the words of <telltale-progress>", () => {
  test("are those that docs/WATCHING.md names", () => {
    const words: unknown = JSON.parse(snippetOf("docs/WATCHING.md", "The words of the element", "json"));
    expect(words).toEqual(ENGLISH);
  });

  test("say that the connection is lost also while it tries again, and not at the first try", () => {
    expect(shown({}, LOST).connection).toBe("Connection lost, reconnecting…");
    expect(shown({}, { status: "connecting" }).connection).toBe("Connection lost, reconnecting…");
    expect(shown({}).connection).toBe("");
    expect(shown(null, LOST)).toMatchObject({ status: "Not connected, trying again…" });
    const tokenless = { ...LOST, reason: "no token: the token endpoint answered 404" };
    expect(shown(null, tokenless).status).toBe(
      "Not connected, trying again… no token: the token endpoint answered 404",
    );
    expect(shown({}, { ...LOST, reason: "not_declared" }).connection).toBe(
      "Waiting for permission to watch…",
    );
    expect(shown({}, tokenless).connection).toBe("Connection lost, reconnecting…");
    expect(shown(null, { status: "connecting" }).status).toBe("Connecting…");
    expect(shown(null, { status: "connecting" }).connection).toBeUndefined();
  });

  test("say why the gateway refuses", () => {
    expect(shown(null, refused(4003, "not_allowed")).status).toBe("You may not watch this analysis");
    expect(shown(null, refused(4001, "token_expired")).status).toBe("Your access has ended");
    expect(shown(null, refused(4004, "not_an_analysis_id")).status).toContain("not_an_analysis_id");
  });

  test.each([
    [30, "50% · done in 30 seconds"],
    [150, "50% · done in 3 minutes"],
    [7_000, "50% · done in 117 minutes"],
    [36_000, "50% · done in 10 hours"],
    [-1, "50%"],
  ])("say when it is done if that is %d seconds away", (seconds, details) => {
    const fields = { progress: 0.5, estimated_completion: inSeconds(seconds) };
    expect(shown(fields).details).toBe(details);
    expect(shown(fields, LOST).details).toBe("50%");
  });

  test("say what was counted, in the language of the page", () => {
    const fields = { progress: 0.125, current: 1250, total: 10_000, unit: "Bilder" };
    const texts = { counts: "{current} von {total} {unit}" };
    expect(shown(fields, LIVE, texts, "de").details).toBe("12,5\u00a0% · 1.250 von 10.000 Bilder");
    expect(shown({ progress: 0, status: "queued" }).details).toBe("");
  });

  test("say the members of any result that are words, five at most, and how many more there are", () => {
    const data = {
      "": "?",
      pages: 12,
      ok: true,
      file_name: "a.pdf",
      empty: "",
      nested: {},
      long: "x".repeat(201),
    };
    expect(shown(result(data, "12 pages")).verdict).toBe("12 pages");
    expect(shown(result(data)).data).toEqual(["Pages: 12", "Ok: yes", "File name: a.pdf"]);
    const many = Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((number) => [`n${number}`, number]));
    expect(shown(result(many)).data).toEqual(["N1: 1", "N2: 2", "N3: 3", "N4: 4", "N5: 5", "and 2 more"]);
    const list = Object.fromEntries(Array.from({ length: 1_239 }, (_, index) => [`n${index}`, index]));
    expect(shown(result(list)).data?.at(-1)).toBe("and 1,234 more");
    expect(shown(result(41.5)).data).toEqual(["Result: 41.5"]);
    expect(shown(result([1, 2])).data).toEqual([]);
  });

  test("say that somebody asked for the end until it has come, and announce the end alone", () => {
    const cancel_requested = { requested_at: inSeconds(0), user_id: "alice", reason: null };
    const asked = { cancel_requested } as Partial<AnalysisState>;
    expect(shown(asked)).toMatchObject({ status: "Cancelling…", announcement: "Running" });
    expect(shown({ ...asked, progress: 0.5 }).details).toBe("50% · Requested by alice");
    const why = { cancel_requested: { ...cancel_requested, user_id: null, reason: "wrong file" } };
    expect(shown(why as Partial<AnalysisState>, LIVE, { asked: "von {user}" }).details).toBe("wrong file");
    const cancelled_by = { ...cancel_requested, reason: "wrong file" };
    expect(shown({ status: "cancelled", cancelled_by }).details).toBe("Requested by alice: wrong file");
    expect(shown({ ...asked, status: "cancelled" })).toMatchObject({
      status: "Cancelled",
      announcement: "Cancelled",
    });
  });

  test("say a count of any size in a few characters", () => {
    const counted = (current: number, total: number | null) =>
      shown({ status: "running", progress: null, current, total, unit: null } as Partial<AnalysisState>)
        .details;
    expect(counted(1e308, null)).toBe("1E308");
    expect(counted(1234.5678, 1e15)).toBe("1,234.568 of 1E15");
    expect(shown(result({ p_value: 0.00004, zero: 0 })).data).toEqual(["P value: 4E-5", "Zero: 0"]);
  });

  test("say how long a stage took, in hours if it took as long, and never less than nothing", () => {
    const stages = [
      { stage: "uploading", started_at: inSeconds(0), ended_at: inSeconds(-3) },
      { stage: "rendering", started_at: inSeconds(0), ended_at: inSeconds(59.96) },
      { stage: "training", started_at: inSeconds(0), ended_at: inSeconds(93_600) },
    ] as AnalysisState["stages"];
    expect(shown({ stages }).stages.map(({ duration }) => duration)).toEqual([
      "0.0 sec",
      "1 min 0 sec",
      "26 hr 0 min",
    ]);
  });

  test("put values into the page's words alone, and nothing into those of a worker", () => {
    const words = (name: string, value: string, texts = {}) =>
      shown(result({ [name]: value }), LIVE, texts).data.join();
    expect(words("{constructor}", "{name} {value}")).toBe("{constructor}: {name} {value}");
    expect(words("constructor", "x", { datum: "{constructor}{name} = {value}" })).toBe("Constructor = x");
    const stages = [{ stage: "{time}", started_at: inSeconds(0), ended_at: null }] as AnalysisState["stages"];
    expect(shown({ stages }).stages[0]?.name).toBe("{time}");
  });

  test("name the last twelve stages of many, and say how many came before", () => {
    const at = (index: number) => inSeconds(index * 2);
    const stages = Array.from({ length: 40 }, (_, index) => ({
      stage: `stage_${index}`,
      started_at: at(index),
      ended_at: index < 39 ? at(index + 1) : null,
    })) as AnalysisState["stages"];
    const { stages: lines, announcement } = shown({ stages });
    expect(lines).toHaveLength(13);
    expect(lines[0]).toEqual({ name: "28 earlier stages", mark: "done", duration: "" });
    expect(lines[1]).toEqual({ name: "Stage 28", mark: "done", duration: "2.0 sec" });
    expect([lines[12], announcement]).toEqual([
      { name: "Stage 39", mark: "current", duration: "" },
      "Stage 39",
    ]);
    expect(shown({ stages: stages.slice(0, 12) }).stages).toHaveLength(12);
  });
});
