import type { PageFiles } from "../adapters/http/page-routes.ts";
import type { Listening, ListenOptions } from "../adapters/server/listening.ts";

/** Everything of the gateway that is made in another way on each runtime. */
export interface Runtime {
  /** Serves HTTP and WebSockets. Rejects if the address cannot be had. */
  readonly listen: (options: ListenOptions) => Promise<Listening>;
  readonly demoPage: PageFiles;
}

/** The parts for the runtime of this process. No runtime loads the parts of another one. */
export async function thisRuntime(): Promise<Runtime> {
  const { runtime } =
    "Deno" in globalThis ? await import("./runtimes/deno.ts") : await import("./runtimes/bun.ts");
  return runtime;
}
