import { join } from "node:path";

/** Bundles `telltale/publisher` as its users on Node have it: `publisher.mjs` in a folder. Rejects if it cannot be built. */
export async function buildPublisherForNode(folder: string): Promise<void> {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "../../src/client/publisher.ts")],
    target: "node",
    outdir: folder,
    naming: "[name].mjs",
  });
  if (!built.success) throw new AggregateError(built.logs, "the publisher could not be built");
}
