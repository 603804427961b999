/** Parses JSON so that `JSON.stringify` writes each number as it was written: a longer one would lose digits. */
export function parseWithNumbersAsWritten(text: string): unknown {
  const reviver: Reviver = (_, value, { source }) =>
    typeof value === "number" && source !== undefined && String(value) !== source ? raw(source) : value;
  return JSON.parse(text, reviver as Parameters<typeof JSON.parse>[1]);
}

/** The types of the language do not have the third argument yet, nor `rawJSON`; Bun and Deno do. */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

function raw(source: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source);
}
