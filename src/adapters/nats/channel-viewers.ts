import type { ViewerList } from "../../domain/access-grant.ts";
import { besideMessage, readBeside, storeBeside } from "./beside-channel.ts";
import type { EventStream } from "./event-stream.ts";

/** The viewers of a channel, beside it as names in JSON. */
export interface DeclaredViewers {
  readonly viewers: ViewerList;
  /** When they were declared, in milliseconds since 1970. */
  readonly at: number;
}

/** Reads the last viewers that were declared, however long ago. */
export async function readViewers(
  stream: EventStream,
  subject: string,
): Promise<DeclaredViewers | undefined> {
  const kept = await readBeside(stream, subject, areNames);
  return kept && { viewers: viewersIn(kept.text), at: kept.at };
}

/** Stores viewers in place of those before. Rejects as `EventStream` does. */
export async function storeViewers(
  stream: EventStream,
  subject: string,
  viewers: ViewerList,
  deadline: number,
): Promise<void> {
  const text = JSON.stringify(viewers === "*" ? viewers : [...viewers]);
  await storeBeside(stream, subject, { text, isOurs: areNames, deadline });
}

/** Reads a message of viewers. Throws if no gateway wrote it. */
export function viewersOfMessage(text: string): { readonly deadline: number; readonly viewers: ViewerList } {
  const message = besideMessage(text, areNames);
  if (message === undefined) throw new Error("not a message of ours");
  return { deadline: message.deadline, viewers: viewersIn(message.text) };
}

function areNames(json: string): boolean {
  return namesIn(json) !== undefined;
}

function viewersIn(json: string): ViewerList {
  const names = namesIn(json) ?? [];
  return names === "*" ? names : new Set(names);
}

function namesIn(json: string): "*" | readonly string[] | undefined {
  try {
    const names: unknown = JSON.parse(json);
    return names === "*" || (Array.isArray(names) && names.every((name) => typeof name === "string"))
      ? names
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
