import { readFile } from "node:fs/promises";
import { join } from "node:path";

const SOURCE = new URL("../web/client-script.ts", import.meta.url);
/** `npm run build:client` writes it; an installed package has it. */
const BUILT = join(import.meta.dirname, "../../dist/client.js");

/** The source of `/client.js`: bundled now on Bun, else as it was built. Undefined if it was not. */
export async function clientScript(): Promise<string | undefined> {
  if (!("Bun" in globalThis)) return builtScript();
  if (await Bun.file(SOURCE).exists()) return bundledScript();
  // An executable has no files beside it: the script is inside.
  const { default: text } = await import("../../dist/client.js", { with: { type: "text" } });
  return text;
}

async function bundledScript(): Promise<string> {
  const { outputs } = await Bun.build({ entrypoints: [SOURCE.pathname], target: "browser", minify: true });
  const texts = await Promise.all(outputs.map((output) => output.text()));
  return texts.join("");
}

async function builtScript(): Promise<string | undefined> {
  try {
    return await readFile(BUILT, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
