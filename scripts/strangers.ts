import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { snippetOf } from "../test/support/documents.ts";

/** A fresh project with the package in it, as somebody makes it who reads its README. */
export interface Stranger {
  readonly name: string;
  /** Beside the package itself: what `npm install` is given. */
  readonly packages: readonly string[];
  readonly files: (gatewayUrl: string) => Readonly<Record<string, string>>;
  /** Commands that make `dist`, one after the other. */
  readonly commands: readonly string[];
  /** The program of a server that the page is opened from as well, on a port given as the last argument. */
  readonly server?: string;
  /** The module of which the size is told, with nothing in it but `watch`. */
  readonly alone: string;
}

const README = "clients/js/README.md";
const TELLTALE = "https://telltale.example";
const TOKEN = `const fetchToken = async () => (await (await fetch("/token")).json()).token;`;
const ID = `const analysisId = new URLSearchParams(location.search).get("id") ?? "";`;
const ALONE = `import { watch } from "telltale-client";\nglobalThis.watch = watch;\n`;

/** The README's element and program in a page of one module. */
const page = (gatewayUrl: string): Record<string, string> => {
  const element = snippetOf(README, "The element", "ts");
  const program = snippetOf(README, "telltale-client", "ts");
  return {
    "src/main.js": [
      program.split("\n")[0],
      element.split("\n")[0],
      TOKEN,
      ID,
      `{ ${rest(element)} }`,
      rest(program),
    ]
      .join("\n")
      .replaceAll(TELLTALE, gatewayUrl),
    "src/alone.js": ALONE,
    "index.html": html("main.js"),
  };
};
const rest = (snippet: string) => snippet.split("\n").slice(1).join("\n");
const html = (script: string) =>
  `<!doctype html><html lang="en"><link rel="icon" href="data:,"><body><div id="root"></div><script type="module" src="/${script}"></script></body></html>`;

export const STRANGERS: readonly Stranger[] = [
  {
    name: "Vite and React",
    packages: [
      "vite@8",
      "@vitejs/plugin-react@6",
      "react@19",
      "react-dom@19",
      "@types/react@19",
      "@types/react-dom@19",
      "typescript@5",
    ],
    files: (gatewayUrl) => ({
      "src/main.tsx": `import { createRoot } from "react-dom/client";
${snippetOf(README, "In React", "tsx").replaceAll(TELLTALE, gatewayUrl)}
${TOKEN}
${ID}
createRoot(document.getElementById("root") as HTMLElement).render(<Page id={analysisId} />);
`,
      "src/alone.js": ALONE,
      "index.html": html("src/main.tsx"),
      "vite.config.ts": `import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
export default defineConfig({ plugins: [react()], ssr: { noExternal: true }, server: { proxy: { "/token": process.env.SITE ?? "" } } });
`,
      "tsconfig.json": `{"compilerOptions": {"strict": true, "noEmit": true, "target": "es2022", "module": "esnext", "moduleResolution": "bundler",
  "jsx": "react-jsx", "lib": ["es2022", "dom", "dom.iterable"], "types": []}, "include": ["src"]}`,
    }),
    commands: ["tsc", "vite build", "vite build --outDir alone --ssr src/alone.js --minify"],
    server: "vite --host 127.0.0.1 --strictPort --port",
    alone: "alone/alone.js",
  },
  {
    name: "webpack",
    packages: ["webpack@5", "webpack-cli@7"],
    files: page,
    commands: [
      "webpack --mode production --entry ./src/main.js --output-path dist",
      "webpack --mode production --entry ./src/alone.js --output-path alone",
    ],
    alone: "alone/main.js",
  },
  {
    name: "esbuild",
    packages: ["esbuild@0.28"],
    files: page,
    commands: [
      "esbuild src/main.js --bundle --minify --format=esm --outfile=dist/main.js",
      "esbuild src/alone.js --bundle --minify --format=esm --outfile=alone/alone.js",
    ],
    alone: "alone/alone.js",
  },
];

/** Makes the project, with the tarball of the package. Answers its folder. */
export function makeProject({ files, name }: Stranger, gatewayUrl: string): string {
  const folder = mkdtempSync(join(tmpdir(), `stranger-${name.split(" ")[0]?.toLowerCase()}-`));
  writeFileSync(join(folder, "package.json"), '{"private":true,"type":"module"}');
  for (const [path, text] of Object.entries(files(gatewayUrl))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

export function removeProject(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
