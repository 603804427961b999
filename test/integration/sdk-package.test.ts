import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../scripts/check/run-program.ts";
import { snippetOf } from "../support/documents.ts";
import { tokenFor } from "../support/gateway-process.ts";
import { needs } from "../support/needs.ts";
import { publish, resultUpdate, statusUpdate } from "../support/publishing.ts";
import { useGateway } from "../support/use-gateway.ts";

setDefaultTimeout(120_000);

const ROOT = new URL("../..", import.meta.url).pathname;
const BIN = join(ROOT, "node_modules/.bin");
const ID = "0190b7a4-2c1e-7c3a-9a51-5f6f0c2d8e11";

/** The package as `npm pack` makes it and `npm install` lays it out, in a folder that has nothing else of the repository. */
describe.skipIf(!needs("npm"))("telltale-client where it was installed", () => {
  const gateway = useGateway();
  const folder = mkdtempSync(join(tmpdir(), "telltale-client-"));
  let token = "";

  beforeAll(async () => {
    const run = async (command: string[], cwd: string) => {
      const { exitCode, output } = await runProgram(command, cwd, 2, {
        npm_config_cache: join(folder, ".npm"),
      });
      if (exitCode !== 0) throw new Error(output);
    };
    await run(["npm", "pack", "--offline", "--pack-destination", folder], join(ROOT, "clients/js"));
    writeFileSync(join(folder, "package.json"), '{"private":true,"type":"module"}');
    await run(["npm", "install", "--offline", "--no-audit", "./telltale-client-0.1.0.tgz"], folder);
    token = await tokenFor({ user: "alice" });
    await publish(gateway, ID, [statusUpdate(), resultUpdate()]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** The README's program, for the gateway of the test. */
  function program(): string {
    const snippet = snippetOf("clients/js/README.md", "telltale-client", "ts");
    const [imports = "", ...rest] = snippet.replace("https://telltale.example", gateway.url).split("\n");
    return `${imports}
const analysisId: string = "${ID}";
const fetchToken = async (): Promise<string> => "${token}";
${rest.join("\n")}
`;
  }

  test.each([
    ["nodenext", ["--module", "nodenext"]],
    ["a bundler", ["--module", "esnext", "--moduleResolution", "bundler"]],
    ["a program without the types of pages", ["--module", "nodenext", "--lib", "es2022"]],
  ])("its types are those that its README says, for %s, as strict as can be", async (_, options) => {
    writeFileSync(join(folder, "program.ts"), program());
    const wrong = `${program()}\nfor await (const event of analysis) if (event.event_type === "error") event.progress;`;
    writeFileSync(join(folder, "wrong.ts"), wrong);
    if (options.includes("es2022")) link("@types");
    const strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--noEmit"];
    const types = options.includes("es2022") ? ["--types", "bun"] : ["--types", ""];
    const compile = (file: string) =>
      runProgram([join(BIN, "tsc"), ...strict, "--target", "es2022", ...options, ...types, file], folder, 2);
    expect(await compile("program.ts")).toMatchObject({ exitCode: 0 });
    const { output } = await compile("wrong.ts");
    expect(output).toContain("Property 'progress' does not exist on type");
  });

  test.each([
    ["Node", ["node"]],
    ["Bun", [process.execPath, "run"]],
    ["Deno", [join(BIN, "deno"), "run", "--allow-net=127.0.0.1", "--no-prompt"]],
  ])("watches to the end on %s, and the process ends well", async (_, command) => {
    const plain = new Bun.Transpiler({ loader: "ts" }).transformSync(program());
    // The end was published before: the state says it.
    writeFileSync(
      join(folder, "program.mjs"),
      `${plain}\nconsole.log(analysis.getSnapshot().connection.status);`,
    );
    const { output, exitCode } = await runProgram([...command, "program.mjs"], folder, 2);
    expect({ said: output.trim().split("\n"), exitCode }).toEqual({
      said: ["completed", "finished"],
      exitCode: 0,
    });
  });

  test("its hooks have the types that its README says, and are rendered on a server", async () => {
    const page = `${snippetOf("clients/js/README.md", "In React", "tsx")}
declare function fetchToken(): Promise<string>;`;
    writeFileSync(join(folder, "page.tsx"), page);
    link("@types");
    for (const name of ["react", "react-dom", "scheduler", "csstype"]) link(name);
    const options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "--types", ""];
    const tsc = [join(BIN, "tsc"), ...options, "--jsx", "react-jsx", "page.tsx"];
    expect(await runProgram(tsc, folder, 2)).toMatchObject({ exitCode: 0 });
    const plain = new Bun.Transpiler({ loader: "tsx", tsconfig: { compilerOptions: { jsx: "react" } } });
    const server = `
      import React from "react";
      import { renderToString } from "react-dom/server";
      const fetchToken = async () => "";
      ${plain.transformSync(page)}
      console.log(renderToString(React.createElement(Page, { id: "${ID}" })));
    `;
    writeFileSync(join(folder, "server.mjs"), server);
    const { output, exitCode } = await runProgram(["node", "server.mjs"], folder, 2);
    expect({ output: output.trim(), exitCode }).toEqual({ output: "<p>connecting</p>", exitCode: 0 });
  });

  test("its element has the types that its README says, and does nothing on a server", async () => {
    const known = "declare const analysisId: string; declare function fetchToken(): Promise<string>;";
    const files = [
      ["element.ts", snippetOf("clients/js/README.md", "The element", "ts")],
      ["element.tsx", snippetOf("clients/js/README.md", "The element", "tsx")],
    ] as const;
    for (const [name, snippet] of files) writeFileSync(join(folder, name), `${snippet}\n${known}`);
    for (const name of ["@types", "react", "csstype"]) link(name);
    const options = [
      "--strict",
      "--exactOptionalPropertyTypes",
      "--noEmit",
      "--target",
      "es2022",
      "--types",
      "",
    ];
    const tsc = (file: string) =>
      runProgram(
        [join(BIN, "tsc"), ...options, "--module", "nodenext", "--jsx", "react-jsx", file],
        folder,
        2,
      );
    for (const [name] of files) expect(await tsc(name)).toMatchObject({ exitCode: 0 });
    writeFileSync(join(folder, "server.mjs"), 'import "telltale-client/element"; console.log("rendered");');
    expect(await runProgram(["node", "server.mjs"], folder, 2)).toMatchObject({
      output: "rendered\n",
      exitCode: 0,
    });
  });

  test("its entry for tabs has the types that its README says, and a program that has no tabs watches with it", async () => {
    const snippet = snippetOf("clients/js/README.md", "One connection for all tabs", "ts")
      .replace("https://telltale.example", gateway.url)
      .replace("analysisId,", "analysisId, until: 'terminal',");
    const tabs = `${snippet}
for await (const { event_type } of analysis) if (event_type === "analysis_state") console.log(event_type);`;
    const known = `const analysisId: string = "${ID}"; const fetchToken = async () => "${token}";`;
    const [imports = "", also = "", ...rest] = tabs.split("\n");
    writeFileSync(join(folder, "tabs.ts"), [imports, also, known, ...rest].join("\n"));
    link("@types");
    const options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "--types", "bun"];
    expect(await runProgram([join(BIN, "tsc"), ...options, "tabs.ts"], folder, 2)).toMatchObject({
      output: "",
      exitCode: 0,
    });
    const plain = new Bun.Transpiler({ loader: "ts" }).transformSync(
      await Bun.file(join(folder, "tabs.ts")).text(),
    );
    writeFileSync(join(folder, "tabs.mjs"), plain);
    expect(await runProgram(["node", "tabs.mjs"], folder, 2)).toMatchObject({
      output: "analysis_state\n",
      exitCode: 0,
    });
  });

  test("the types of all entries are found by a compiler that knows no exports", async () => {
    const text = ["", "/react", "/element", "/tabs"].map(
      (entry) => `export * from "telltale-client${entry}";`,
    );
    writeFileSync(join(folder, "entries.ts"), text.join("\n"));
    for (const name of ["@types", "csstype"]) link(name);
    const options = ["--strict", "--noEmit", "--target", "es2022", "--moduleResolution", "node"];
    const tsc = [process.execPath, join(ROOT, "node_modules/typescript-5/bin/tsc"), ...options];
    expect(await runProgram([...tsc, "--types", "react", "entries.ts"], folder, 2)).toMatchObject({
      exitCode: 0,
    });
  });

  test("its recipes have the types of their frameworks", async () => {
    const recipes = ["In Vue", "In Solid", "With TanStack Query"];
    recipes.forEach((heading, index) => {
      const recipe = snippetOf("clients/js/README.md", heading, "ts");
      const text = `${recipe}\ndeclare function fetchToken(): Promise<string>;`;
      writeFileSync(join(folder, `recipe-${index}.ts`), text);
    });
    for (const name of ["@types", "vue", "solid-js", "@tanstack", "react", "csstype"]) link(name);
    const options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "--types", ""];
    const files = recipes.map((_, index) => `recipe-${index}.ts`);
    const tsc = [join(BIN, "tsc"), ...options, "--skipLibCheck", ...files];
    expect(await runProgram(tsc, folder, 2)).toMatchObject({ exitCode: 0 });
  });

  /** A package of the repository, for the folder. */
  function link(name: string): void {
    const path = join(folder, "node_modules", name);
    if (!existsSync(path)) symlinkSync(join(ROOT, "node_modules", name), path);
  }
});
