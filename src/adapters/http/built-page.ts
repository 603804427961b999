import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { type PageFile, type PageFiles, PageNotBuilt } from "./page-routes.ts";

/** The one HTML file of a built page; its scripts and styles lie beside it. */
export const BUILT_INDEX = "index.html";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html;charset=utf-8",
  ".js": "text/javascript;charset=utf-8",
  ".css": "text/css;charset=utf-8",
};

/**
 * A page that was built before (`npm run build:pages`), for a runtime that bundles none. It is read when it is asked.
 */
export function builtPage(folder: string): PageFiles {
  return async () => {
    const names = await namesIn(folder);
    const files = names
      .filter((name) => extname(name) in TYPES)
      .map(async (name): Promise<[string, PageFile]> => {
        const bytes = new Uint8Array(await readFile(join(folder, name))).buffer;
        return [name === BUILT_INDEX ? "/" : `/${name}`, { bytes, type: TYPES[extname(name)] ?? "" }];
      });
    return new Map(await Promise.all(files));
  };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    if (names.includes(BUILT_INDEX)) return names;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  throw new PageNotBuilt("The page is not built; `npm run build:pages` builds it");
}
