import type { Scope } from "../../../domain/access-grant.ts";
import type { ProblemCode } from "../problem.ts";
import { ref, type Schema } from "./components.ts";
import type { Parameter } from "./parameters.ts";

/** One route, as the description has it. Paths are OpenAPI's. */
export interface Operation {
  readonly method: "get" | "post" | "put";
  readonly path: string;
  readonly id: string;
  readonly tag: "Publishing" | "Watching" | "Operations" | "Descriptions";
  readonly summary: string;
  /** `watch`: a token that may watch, from header, query or cookie; a scope: a bearer token that has it. */
  readonly needs: "nothing" | "watch" | Scope;
  readonly parameters?: readonly Parameter[];
  readonly body?: { readonly schema: Schema; readonly required: boolean };
  readonly answers: Readonly<Record<number, Answer>>;
  readonly problems?: readonly ProblemCode[];
}

export interface Answer {
  readonly description: string;
  /** By content type; left out if there is no body. */
  readonly content?: Readonly<Record<string, Schema>>;
}

export const json = (name: string): Readonly<Record<string, Schema>> => ({ "application/json": ref(name) });
export const TEXT: Schema = { type: "string" };

/** Problems of every route that needs the broker. */
export const BROKER = [
  "broker_unavailable",
  "newer_format",
  "access_undecided",
] as const satisfies readonly ProblemCode[];

/** Problems of every route that takes a body. */
export const STORING = [
  "not_json",
  "unauthenticated",
  "scope_missing",
  "not_allowed",
  "request_timeout",
  "event_too_large",
  "outcome_unknown",
  ...BROKER,
] as const satisfies readonly ProblemCode[];
