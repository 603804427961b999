interface Runtime {
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
  readonly Deno?: {
    readonly permissions: {
      querySync(of: { name: "env"; variable: string }): { readonly state: string };
    };
  };
}

/** A variable of the environment; empty if it is not set, and if this process may not read it: nobody is asked for that. */
export function environmentVariable(name: string): string {
  const { process, Deno } = globalThis as Runtime;
  if (Deno !== undefined && Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted")
    return "";
  return process?.env?.[name] ?? "";
}
