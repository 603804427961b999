import { shortened } from "../domain/utf8.ts";

/** Bytes of a message, which may quote all of a file: the event must not be larger than a gateway takes. */
const MESSAGE_BYTES = 64_000;
const NAME_BYTES = 2_000;
const CALL_BYTES = 500;

/** The fields of an `error` event for something that was thrown, whatever that is. Never throws, also if a getter of it does. */
export function errorFields(thrown: unknown): Record<string, unknown> {
  if (!isError(thrown))
    return { error_code: "error", error_message: shown(() => thrown, MESSAGE_BYTES) ?? "unknown" };
  const code = read(thrown, "code");
  const name = shown(() => read(thrown, "name"), NAME_BYTES) ?? "error";
  return {
    error_code: (typeof code === "string" ? notBlank(shortened(code, NAME_BYTES)) : undefined) ?? name,
    error_message: shown(() => read(thrown, "message"), MESSAGE_BYTES) ?? name,
    error_details: { type: name, traceback: tracebackOf(shown(() => read(thrown, "stack")) ?? "") },
  };
}

/** Whether a call was ended by its signal, as `fetch` tells it: by an error of its own. */
export function isAbort(thrown: unknown): boolean {
  return isError(thrown) && read(thrown, "name") === "AbortError";
}

/** Undefined if its getter throws. */
function read(thrown: Error, name: string): unknown {
  try {
    return (thrown as unknown as Readonly<Record<string, unknown>>)[name];
  } catch {
    return undefined;
  }
}

function isError(thrown: unknown): thrown is Error {
  return isOf(Error, thrown);
}

/** As `instanceof`; false of a proxy that does not say. */
export function isOf(type: new (...args: never[]) => Error, thrown: unknown): boolean {
  try {
    return thrown instanceof type;
  } catch {
    return false;
  }
}

/** Undefined if it is blank, or has no words at all, as an object without a prototype. */
function shown(value: () => unknown, mostBytes = Number.POSITIVE_INFINITY): string | undefined {
  try {
    return notBlank(shortened(String(value() ?? ""), mostBytes));
  } catch {
    return undefined;
  }
}

const STACK_LINES = 10;

/** The innermost call first. Files are named without their folders, since whoever may watch sees them. */
function tracebackOf(stack: string): string[] {
  const calls = stack.split("\n").filter((line) => /:\d+/.test(line) && /^\s*at |@/.test(line));
  return calls
    .slice(0, STACK_LINES)
    .map((line) => shortened(line.trim(), CALL_BYTES).replace(/(?:[\w+.-]+:\/\/)?[^\s(@]*[/\\]/, ""));
}

function notBlank(text: string): string | undefined {
  return text.trim() === "" ? undefined : text;
}

/** The first line of what was thrown. */
export function wordsOf(thrown: unknown): string {
  const words = isError(thrown) ? shown(() => read(thrown, "message")) : shown(() => thrown);
  return words?.split("\n")[0] ?? "unknown";
}
