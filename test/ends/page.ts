import { readFileSync, writeFileSync } from "node:fs";
import { tablesIn } from "../support/documents.ts";
import { CASE_NAMES, type CaseName, describeEnd, expectedOf } from "./expected.ts";
import { KIND_NAMES, type KindName } from "./kinds.ts";
import type { Settled } from "./table.ts";

const page = new URL("../../docs/ENDS.md", import.meta.url).pathname;
const TABLE = /(?<=<!-- ends -->\n)[\s\S]*(?=<!-- \/ends -->)/;
const SECONDS = / · [\d.]+ s$/;

/** The rows of the page's table without their times: a case, and how each kind of worker ends in it. */
export function endsOnPage(): string[][] {
  const [rows = []] = tablesIn(TABLE.exec(readFileSync(page, "utf8"))?.[0] ?? "");
  return rows.map((cells) => cells.map((cell) => cell.replace(SECONDS, "")));
}

/** The rows that the page is to have. */
export function expectedEnds(): string[][] {
  return CASE_NAMES.map((name) => [name, ...KIND_NAMES.map((kind) => describeEnd(expectedOf(name, kind)))]);
}

/** Replaces the table of the page by what was measured. */
export function writePage(settled: readonly Settled[]): void {
  const secondsOf = (name: CaseName, kind: KindName) =>
    settled.find((one) => one.name === name && one.kind === kind)?.seconds ?? Number.NaN;
  const rows = expectedEnds().map(([name = "", ...ends]) => [
    name,
    ...ends.map((end, at) => {
      const seconds = secondsOf(name as CaseName, KIND_NAMES[at] as KindName);
      return `${end} · ${seconds.toFixed(1)} s`;
    }),
  ]);
  const head = ["", ...KIND_NAMES.map((kind) => (kind === "telltale run" ? "`telltale run`" : kind))];
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`);
  writeFileSync(page, readFileSync(page, "utf8").replace(TABLE, lines.join("")));
}
