/** The fields of an `error` event for something that was thrown, whatever that is. Never throws, also if a getter of it does. */
export function errorFields(thrown: unknown): Record<string, unknown> {
  if (!isError(thrown)) return { error_code: "error", error_message: shown(() => thrown) ?? "unknown" };
  const code = read(thrown, "code");
  const name = shown(() => read(thrown, "name")) ?? "error";
  return {
    error_code: (typeof code === "string" ? notBlank(code) : undefined) ?? name,
    error_message: shown(() => read(thrown, "message")) ?? name,
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
function shown(value: () => unknown): string | undefined {
  try {
    return notBlank(String(value() ?? ""));
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
    .map((line) => line.trim().replace(/(?:[\w+.-]+:\/\/)?[^\s(@]*[/\\]/, ""));
}

function notBlank(text: string): string | undefined {
  return text.trim() === "" ? undefined : text;
}

/** The first line of what was thrown. */
export function wordsOf(thrown: unknown): string {
  const words = isError(thrown) ? shown(() => read(thrown, "message")) : shown(() => thrown);
  return words?.split("\n")[0] ?? "unknown";
}
