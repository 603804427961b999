import type { AnalysisChannel } from "../../src/domain/channel.ts";
import type { ModelNode } from "./model-node.ts";
import { ATTEMPTS, KINDS, type Kind } from "./publishing.ts";
import { CHANNELS, CLIENTS, NODES, type World } from "./world.ts";

/** Four numbers that say to whom a step happens and how. Each kind of step reads them in its own way. */
export interface StepNumbers {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

export interface StepKind {
  /** How often the kind is drawn, compared with the others. */
  readonly weight: number;
  /** Answers what came of the step, if its numbers alone do not tell. */
  readonly run: (world: World, numbers: StepNumbers) => string | undefined;
  /** The named values of the step, as `(analysis=0, event=result) at node 1`. */
  readonly print: (numbers: StepNumbers) => string;
}

/**
 * `read` gives the numbers their names, and `act` works with the names alone: a report that prints them leaves
 * nothing out. `act` may answer with a text, which the report shows beside them.
 */
export function kind<Named extends object>(
  weight: number,
  read: (numbers: StepNumbers) => Named,
  act: (world: World, named: Named) => unknown,
): StepKind {
  return {
    weight,
    run: (world, numbers) => {
      const outcome = act(world, read(numbers));
      return typeof outcome === "string" ? outcome : undefined;
    },
    print: (numbers) => {
      const { node, ...rest } = read(numbers) as { readonly node?: number };
      const named = Object.entries(rest)
        .filter(([, value]) => value !== false)
        .map(([name, value]) => (value === true ? name : `${name}=${inWords(value)}`));
      return (
        (named.length > 0 ? `(${named.join(", ")})` : "") + (node === undefined ? "" : ` at node ${node}`)
      );
    },
  };
}

export function ofNode(weight: number, act: (world: World, node: ModelNode) => unknown): StepKind {
  return kind(
    weight,
    ({ a }) => ({ node: at(a) }),
    (world, { node }) => act(world, world.node(node)),
  );
}

export function ofClient(weight: number, act: (world: World, client: number) => unknown): StepKind {
  return kind(
    weight,
    ({ a }) => ({ client: a % CLIENTS }),
    (world, { client }) => act(world, client),
  );
}

export function ofAnalysis(weight: number, act: (world: World, analysis: number) => unknown): StepKind {
  return kind(
    weight,
    ({ a }) => ({ analysis: analysisOf(a) }),
    (world, { analysis }) => act(world, analysis),
  );
}

export function nothing(): Record<never, never> {
  return {};
}

/** A node by its index. If it does not run, the next one serves in its place. */
export function at(pick: number): number {
  return pick % NODES;
}

/** Mostly the same one, so that much happens to it; the other shows that channels do not mix. */
export function analysisOf(pick: number): number {
  return pick % 4 === 3 ? 1 : 0;
}

export function channel(analysis: number): AnalysisChannel {
  return CHANNELS[analysis] as AnalysisChannel;
}

export function eventOf(pick: number): Kind {
  return KINDS[pick % KINDS.length] as Kind;
}

export function attemptOf(pick: number): number {
  return pick % ATTEMPTS;
}

/** The nodes whose bits are set. */
export function nodesIn(mask: number): readonly number[] {
  return Array.from({ length: NODES }, (_, index) => index).filter((index) => (mask >> index) & 1);
}

function inWords(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inWords).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const members = Object.entries(value).map(([name, member]) => `${name}=${inWords(member)}`);
  return `{${members.join(", ")}}`;
}
