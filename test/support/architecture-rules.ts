/** Files of `src` by path (`src/domain/channel.ts`), with their text. */
export type SourceTree = ReadonlyMap<string, string>;

export interface ArchitectureRule {
  /** A plain sentence, used as the name of the test. */
  readonly sentence: string;
  /** One line for each offence, beginning with the path of the file; empty if the tree keeps the rule. */
  readonly offences: (tree: SourceTree) => string[];
  /** The smallest tree that breaks the rule, so that the rule itself can be tested. */
  readonly broken: Readonly<Record<string, string>>;
}

export const architectureRules: readonly ArchitectureRule[] = [
  {
    sentence: "domain imports only domain and zod",
    offences: onlyImports({ from: "src/domain/", folders: ["src/domain/"], packages: ["zod"] }),
    broken: { "src/domain/a.ts": 'import type { B } from "../application/b.ts";' },
  },
  {
    sentence: "application imports only application and domain, and no package",
    offences: onlyImports({ from: "src/application/", folders: ["src/application/", "src/domain/"] }),
    broken: { "src/application/a.ts": 'import {\n  Redis,\n} from "ioredis";' },
  },
  {
    sentence: "ports live in application/ports and nowhere else",
    offences: (tree) =>
      filesMatching(tree, /-port\.tsx?$/)
        .filter((path) => !path.startsWith("src/application/ports/"))
        .map((path) => `${path} is a port outside src/application/ports`),
    broken: { "src/adapters/redis/lock-port.ts": "export interface LockPort {}" },
  },
  {
    sentence: "the session imports only session, application, domain and zod",
    offences: onlyImports({
      from: "src/session/",
      folders: ["src/session/", "src/application/", "src/domain/"],
      packages: ["zod"],
    }),
    broken: { "src/session/a.ts": 'import { b } from "../adapters/server/b.ts";' },
  },
  {
    sentence: "every adapter lies in a folder of its own",
    offences: (tree) =>
      filesMatching(tree, /^src\/adapters\/[^/]+$/).map((path) => `${path} lies loose in src/adapters`),
    broken: { "src/adapters/a.ts": "export const a = 1;" },
  },
  {
    sentence: "no file imports itself by way of others, types included",
    offences: (tree) => circlesOf(tree).map((circle) => circle.join(" → ")),
    broken: {
      "src/domain/a.ts": 'import type { B } from "./b.ts";',
      "src/domain/b.ts": 'export { c } from "./c.ts";',
      "src/domain/c.ts": 'import { a } from "./a.ts";',
    },
  },
  {
    sentence: "an adapter imports no other adapter but system and broker",
    offences: adaptersKeepToThemselves,
    broken: { "src/adapters/http/a.ts": 'export { b } from "../redis/b.ts";' },
  },
  {
    sentence: "only container.ts imports inversify and reflect-metadata",
    offences: (tree) =>
      imports(tree)
        .filter(({ path }) => path !== "src/gateway/container.ts")
        .filter(({ to }) => ["inversify", "reflect-metadata"].includes(packageName(to)))
        .map(describeImport),
    broken: { "src/adapters/http/a.ts": 'import "reflect-metadata";' },
  },
  {
    sentence: "the client imports only the client and the domain, and no package",
    offences: onlyImports({ from: "src/client/", folders: ["src/client/", "src/domain/"] }),
    broken: { "src/client/a.ts": 'const b = await import("../adapters/http/b.ts");' },
  },
  {
    sentence: "the client uses nothing that Node 20 lacks",
    offences: (tree) =>
      filesMatching(tree, /^src\/client\/.*\.ts$/).flatMap((path) =>
        matches(
          withoutTypes(tree, path),
          /\b(?:Promise\.(?:withResolvers|try)|URL\.parse|(?:Array|Error|Math)\.(?:fromAsync|isError|sumPrecise)|RegExp\.escape|Iterator\.|Object\.groupBy|Map\.groupBy)|\.(?:toBase64|toHex|symmetricDifference|isSubsetOf|isSupersetOf|isDisjointFrom)\(|\.(?:values|keys|entries)\(\)\s*\.\w+\(|\bawait using\b/,
        ).map((found) => `${path} uses ${found}`),
      ),
    broken: { "src/client/a.ts": "const late = Promise.withResolvers();" },
  },
  {
    sentence: "the pages import only the pages, the client, the domain and preact",
    offences: onlyImports({
      from: "src/web/",
      folders: ["src/web/", "src/client/", "src/domain/"],
      packages: ["preact", "@preact/signals"],
    }),
    broken: { "src/web/a.tsx": 'import { b } from "../application/b.ts";' },
  },
  {
    sentence: "main imports only the gateway folder, never an adapter",
    offences: (tree) =>
      imports(tree)
        .filter(({ path, to }) => path === "src/main.ts" && !/^(?:node:|src\/gateway\/)/.test(to))
        .map(describeImport),
    broken: { "src/main.ts": 'import { b } from "./adapters/redis/b.ts";' },
  },
  {
    sentence: "the configuration knows no adapter and no container",
    offences: onlyImports({
      from: "src/gateway/config/",
      folders: ["src/gateway/config/", "src/domain/", "src/application/"],
      packages: ["zod"],
      builtIns: true,
    }),
    broken: { "src/gateway/config/a.ts": 'import { b } from "../../adapters/redis/b.ts";' },
  },
  {
    sentence: "the entries for adapters export only application, domain, and the adapters system and broker",
    offences: (tree) =>
      onlyImports({
        from: "src/package/",
        folders: ["src/application/", "src/domain/", "src/adapters/system/", "src/adapters/broker/"],
      })(new Map([...tree].filter(([path]) => path !== CORE_ENTRY && path !== NODE_ENTRY))),
    broken: { "src/package/a.ts": 'export { b } from "../adapters/redis/b.ts";' },
  },
  {
    sentence: "telltale/core loads no broker, no log and no demo before it is used",
    offences: (tree) =>
      [...loadedBy(tree, CORE_ENTRY)]
        .filter((to) => UNUSED_BY_CORE.some((start) => to.startsWith(start)))
        .map((to) => `${CORE_ENTRY} loads ${to}`),
    broken: {
      "src/package/core.ts": 'export { a } from "../gateway/a.ts";',
      "src/gateway/a.ts": 'import { Redis } from "ioredis";',
    },
  },
  {
    sentence: "only the gateway imports an entry for adapters",
    offences: (tree) =>
      imports(tree)
        .filter(({ path, to }) => to.startsWith("src/package/") && !path.startsWith("src/gateway/"))
        .map(describeImport),
    broken: { "src/adapters/memory/a.ts": 'import type { B } from "../../package/b.ts";' },
  },
  {
    sentence:
      "testing imports only testing, application, domain, the test runners and the built-ins of every runtime",
    offences: onlyImports({
      from: "src/testing/",
      folders: ["src/testing/", "src/application/", "src/domain/"],
      packages: ["bun:test", "node:test", "expect"],
      builtIns: true,
    }),
    broken: { "src/testing/a.ts": 'import { b } from "../../test/support/b.ts";' },
  },
  {
    sentence: "nothing but testing imports testing or a test runner",
    offences: (tree) =>
      imports(tree)
        .filter(({ path }) => !path.startsWith("src/testing/"))
        .filter(({ to }) => to.startsWith("src/testing/") || TEST_RUNNERS.includes(packageName(to)))
        .map(describeImport),
    broken: { "src/adapters/memory/a.ts": 'import { test } from "bun:test";' },
  },
  {
    sentence: "domain, application and session touch nothing that only one runtime has",
    offences: (tree) =>
      filesMatching(tree, /^src\/(domain|application|session)\/.*\.tsx?$/).flatMap((path) =>
        matches(withoutStrings(withoutTypes(tree, path)), /\b(?:Bun|Deno|process)\s*(?:\.|\[)|\brequire\(/)
          .concat(matches(tree.get(path) ?? "", /["'](?:node|bun):[\w/]+["']/))
          .map((found) => `${path} uses ${found}`),
      ),
    broken: { "src/domain/a.ts": "export const a = process.env;" },
  },
  {
    sentence: "no file is longer than 250 lines",
    offences: (tree) =>
      [...tree]
        .map(([path, text]) => ({ path, lines: text.replace(/\n$/, "").split("\n").length }))
        .filter(({ lines }) => lines > 250)
        .map(({ path, lines }) => `${path} has ${lines} lines`),
    broken: { "src/domain/a.ts": "export {};\n".repeat(251) },
  },
  {
    sentence: "no file but an entry for adapters or pages is a barrel of re-exports",
    offences: (tree) =>
      filesMatching(tree, /\.tsx?$/)
        .filter((path) => !path.startsWith("src/package/") && path !== "src/web/client-script.ts")
        .filter((path) => isBarrel(tree.get(path) ?? ""))
        .map((path) => `${path} only re-exports`),
    broken: { "src/domain/index.ts": 'export * from "./a.ts";\nexport { b } from "./b.ts";\n' },
  },
  {
    sentence: "no catch swallows what it caught",
    offences: (tree) =>
      filesMatching(tree, /\.tsx?$/).flatMap((path) =>
        matches(
          withoutTypes(tree, path),
          /\bcatch\s*(?:\(\w*\))?\s*\{\s*\}|\.catch\(\s*\(?\w*\)?\s*=>\s*(?:\{\s*\}|undefined|null)\s*,?\s*\)/,
        ).map((found) => `${path} swallows: ${found}`),
      ),
    broken: { "src/domain/a.ts": "try { a(); } catch {\n  // a comment is no handling\n}" },
  },
  {
    sentence: "nothing is left to be done later",
    offences: (tree) =>
      [...tree].flatMap(([path, text]) =>
        matches(text, new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "XXX"].join("|")})\\b`)).map(
          (found) => `${path} says ${found}`,
        ),
      ),
    broken: { "src/domain/a.ts": `// ${"TO" + "DO"}: finish` },
  },
];

const CORE_ENTRY = "src/package/core.ts";
const NODE_ENTRY = "src/package/node.ts";

/** Packages and folders that a program which embeds the gateway loads only if it uses them. */
const UNUSED_BY_CORE = [
  "ioredis",
  "@nats-io/",
  "pino",
  "preact",
  "ws",
  "src/adapters/redis/",
  "src/adapters/nats/",
  "src/adapters/http/demo/",
  "src/web/",
];

const TEST_RUNNERS = ["bun:test", "node:test", "vitest", "jest", "@jest", "expect"];

interface Import {
  readonly path: string;
  /** A package's specifier as written, or the path in the tree that a relative one leads to. */
  readonly to: string;
}

/** Everything that a file loads at once, itself and by way of others; without types. */
function loadedBy(tree: SourceTree, entry: string): Set<string> {
  const transpiler = new Bun.Transpiler({ loader: "tsx" });
  const loaded = new Set<string>();
  const load = (path: string): void => {
    for (const { path: specifier, kind } of transpiler.scanImports(tree.get(path) ?? "")) {
      const to = resolve(path, specifier);
      if (kind !== "import-statement" || loaded.has(to)) continue;
      loaded.add(to);
      load(to);
    }
  };
  load(entry);
  return loaded;
}

const describeImport = ({ path, to }: Import) => `${path} imports ${to}`;

function onlyImports(rule: {
  readonly from: string;
  readonly folders: readonly string[];
  readonly packages?: readonly string[];
  readonly builtIns?: boolean;
}): (tree: SourceTree) => string[] {
  const allowed = (to: string) =>
    rule.folders.some((folder) => to.startsWith(folder)) ||
    (rule.packages?.includes(packageName(to)) ?? false) ||
    (rule.builtIns === true && to.startsWith("node:"));
  return (tree) =>
    imports(tree)
      .filter(({ path, to }) => path.startsWith(rule.from) && !allowed(to))
      .map(describeImport);
}

function adaptersKeepToThemselves(tree: SourceTree): string[] {
  // The demo runs inside the gateway's HTTP adapter but publishes through the public API, like any other worker.
  const extra = { http: ["src/client/publisher", "src/web/"] } as Readonly<Record<string, readonly string[]>>;
  return imports(tree)
    .filter(({ path, to }) => {
      const adapter = /^src\/adapters\/(?:([^/]+)\/)?/.exec(path);
      if (adapter === null || !to.startsWith("src/")) return false;
      const [, name] = adapter;
      const own = name === undefined ? [] : [`src/adapters/${name}/`, ...(extra[name] ?? [])];
      const shared = ["src/adapters/system/", "src/adapters/broker/"];
      const folders = ["src/domain/", "src/application/", "src/session/", ...shared, ...own];
      return !folders.some((folder) => to.startsWith(folder));
    })
    .map(describeImport);
}

/** Every import that leads back to its own file, with the way it takes. */
function circlesOf(tree: SourceTree): string[][] {
  const next = new Map<string, string[]>();
  for (const { path, to } of imports(tree)) next.set(path, [...(next.get(path) ?? []), to]);
  const done = new Set<string>();
  const circles: string[][] = [];
  const walk = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start !== -1) circles.push([...way.slice(start), path]);
    if (start !== -1 || done.has(path)) return;
    for (const to of next.get(path) ?? []) walk(to, [...way, path]);
    done.add(path);
  };
  for (const path of tree.keys()) walk(path, []);
  return circles;
}

function imports(tree: SourceTree): Import[] {
  // Statements begin a line, so the text of a doc comment (which begins with an asterisk) is never taken for one.
  const statement = /^[ \t]*(?:import|export)\b(?:[^"'`;()]*?\bfrom)?\s*["']([^"']+)["']/gm;
  const expression = /\bimport\(\s*["']([^"']+)["']/g;
  return filesMatching(tree, /\.tsx?$/).flatMap((path) => {
    const text = tree.get(path) ?? "";
    return [...text.matchAll(statement), ...text.matchAll(expression)].map((match) => ({
      path,
      to: resolve(path, match[1] ?? ""),
    }));
  });
}

function resolve(path: string, specifier: string): string {
  return specifier.startsWith(".") ? new URL(specifier, `file:///${path}`).pathname.slice(1) : specifier;
}

function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function filesMatching(tree: SourceTree, pattern: RegExp): string[] {
  return [...tree.keys()].filter((path) => pattern.test(path));
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(new RegExp(pattern, "g"))].map((match) => match[0].replace(/\s+/g, " "));
}

/** The program without comments and types, which is where a rule about behaviour looks. */
function withoutTypes(tree: SourceTree, path: string): string {
  const loader = path.endsWith("x") ? "tsx" : "ts";
  return new Bun.Transpiler({ loader, deadCodeElimination: false }).transformSync(tree.get(path) ?? "");
}

function withoutStrings(program: string): string {
  return program.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
}

function isBarrel(text: string): boolean {
  const statements = text
    .replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "")
    .split(";")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
  return (
    statements.length > 0 &&
    statements.every((statement) => /^export\b[^=()]*\bfrom\s*["'][^"']+["']$/.test(statement))
  );
}
