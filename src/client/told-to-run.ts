import type { AnalysisId } from "../domain/channel.ts";
import { environmentVariable } from "./environment-variable.ts";

/**
 * `telltale run` publishes for programs that do not publish by themselves. It names a file in the environment of its program, in which
 * one that does says so: "open" and "ended" with the id of the analysis, a line each.
 */
export interface ToldToRun {
  /** The name of the run, for events that name none. */
  readonly attemptId: string | undefined;
  /** The end is stored: the command has nothing more to say. */
  ended(): void;
}

/** The parts of a runtime that are used here; the functions of `node:fs` without an import, which not every bundler takes. */
interface Runtime {
  readonly process?: { getBuiltinModule?(name: "node:fs"): Files | undefined };
  readonly Deno?: {
    readonly permissions: { querySync(of: { name: "write"; path: string }): { readonly state: string } };
  };
}

interface Files {
  appendFileSync(path: string, text: string): void;
}

/**
 * Says that this process tells of the analysis by itself, if it is the one that `telltale run` was started for. Undefined if it is
 * another, or if there is no such command. `url` is where the events go: to another gateway they are no news to the command.
 */
export function toldToRun(id: AnalysisId, url: string): ToldToRun | undefined {
  const path = environmentVariable("TELLTALE_RUN_TAKEN");
  const isOfRun =
    path !== "" &&
    environmentVariable("TELLTALE_ANALYSIS_ID").toLowerCase() === id &&
    normalised(environmentVariable("TELLTALE_URL")) === normalised(url);
  if (!isOfRun) return undefined;
  tell(path, `open ${id}\n`);
  const attemptId = environmentVariable("TELLTALE_ATTEMPT_ID");
  return { attemptId: attemptId === "" ? undefined : attemptId, ended: () => tell(path, `ended ${id}\n`) };
}

/** If it cannot be told, the command publishes as well. */
function tell(path: string, line: string): void {
  const { process, Deno } = globalThis as Runtime;
  if (Deno !== undefined && Deno.permissions.querySync({ name: "write", path }).state !== "granted") return;
  try {
    process?.getBuiltinModule?.("node:fs")?.appendFileSync(path, line);
  } catch (error) {
    // The command has ended, or the process may not write there.
    if ((error as { readonly code?: unknown }).code === undefined) throw error;
  }
}

function normalised(url: string): string {
  try {
    return new URL(url).href.replace(/\/+$/, "");
  } catch {
    return url;
  }
}
