/** The part of `bun:ffi` that is used here: no other runtime has the types. */
interface Ffi {
  dlopen(
    library: string,
    symbols: Record<string, CFunction>,
  ): { readonly symbols: Record<string, (...args: readonly unknown[]) => number> };
  ptr(array: NodeJS.TypedArray): unknown;
}

/** How a function is called, in the words of `bun:ffi`. */
export interface CFunction {
  readonly args: readonly ("ptr" | "i32" | "u64")[];
  readonly returns: "i32" | "void";
}

/** Calls a function of the C library. An array is passed as its address. */
export type CallC = (name: string, ...args: readonly (number | NodeJS.TypedArray)[]) => number;

/** Not named at the import: no other runtime could read this file then. */
const FFI = "bun:ffi";

/** Functions of the C library of the system; undefined but for Bun, as in the executable, on a Linux with glibc. */
export async function cLibrary(functions: Record<string, CFunction>): Promise<CallC | undefined> {
  if (!("Bun" in globalThis) || process.platform !== "linux") return undefined;
  try {
    const { dlopen, ptr } = (await import(FFI)) as Ffi;
    const { symbols } = dlopen("libc.so.6", functions);
    return (name, ...args) =>
      symbols[name]?.(...args.map((arg) => (typeof arg === "number" ? arg : ptr(arg)))) ?? -1;
  } catch {
    // Another C library.
    return undefined;
  }
}
