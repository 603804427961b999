import { readFileSync } from "node:fs";
import { plugin } from "bun";
import { faultOf, MUTANTS, mutated } from "./mutants.ts";

/*
 * For `bun test --preload`: plants the one deliberate breakage that TELLTALE_MUTANT names, as its module is loaded.
 * Nothing on disk changes, and nothing of it is in the product.
 */
const root = new URL("../../", import.meta.url).pathname;
const name = process.env.TELLTALE_MUTANT;
const mutant = MUTANTS.find((one) => one.name === name);
if (mutant === undefined) throw new Error(`TELLTALE_MUTANT names no mutant: ${name}`);
const fault = faultOf(mutant, root);
if (fault !== undefined) throw new Error(fault);

const { file } = mutant;
const path = root + file;
plugin({
  name: "mutant",
  setup(build) {
    build.onLoad({ filter: new RegExp(`^${path.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`) }, () => {
      const contents = mutated(mutant, readFileSync(path, "utf8"));
      // A text cannot be loaded as one by a plugin; a module that exports it can.
      if (file.endsWith(".lua"))
        return { contents: `export default ${JSON.stringify(contents)};`, loader: "js" };
      return { contents, loader: "ts" };
    });
  },
});
