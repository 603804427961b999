import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { snippetOf } from "../support/documents.ts";
import { startGateway } from "../support/gateway-process.ts";
import { type InstalledPackage, installPackage, TOOLS, TOOLS_OF_DENO } from "../support/installed-package.ts";
import { needs } from "../support/needs.ts";
import { publish, statusUpdate } from "../support/publishing.ts";

setDefaultTimeout(120_000);

const ROOT = new URL("../..", import.meta.url).pathname;

/** The steps of the guide, in a folder that has nothing but the installed package. */
describe.skipIf(!needs("npm"))("an adapter in a folder where the package is installed", () => {
  let installed: InstalledPackage;

  beforeAll(async () => {
    installed = await installPackage();
    installed.copy("examples/minimal-broker/src", "src");
    installed.copy("examples/minimal-broker/package.json", "package.json");
    writeFileSync(
      join(installed.folder, "tsconfig.json"),
      snippetOf("docs/WRITING-AN-ADAPTER.md", "Begin", "json"),
    );
  });
  afterAll(() => installed?.remove());

  const bunTest = (...args: string[]) => installed.run(process.execPath, "test", ...args);

  /** The adapter with another text in one place, in a folder of its own. */
  function broken(name: string, file: string, text: string, instead: string): string {
    const source = readFileSync(join(installed.folder, "src", file), "utf8");
    expect(source).toContain(text);
    installed.copy("examples/minimal-broker/src", name);
    writeFileSync(join(installed.folder, name, file), source.replace(text, instead));
    return name;
  }

  test("has its types from the package, and passes the suites of telltale/testing", async () => {
    const snippet = snippetOf("docs/WRITING-AN-ADAPTER.md", "Run the suites", "sh");
    const { output, exitCode } = await installed.run("bash", "-c", snippet);
    expect(output).toMatch(/^ 0 fail$/m);
    expect(Number(/^ (\d+) pass$/m.exec(output)?.[1])).toBeGreaterThan(75);
    expect(exitCode).toBe(0);
  });

  test("fails a suite by the name of the rule that it breaks", async () => {
    const append = "firstOffset: offset - events.length + 1,";
    const folder = broken("wrong-duplicates", "events.ts", append, "firstOffset: offset,");
    const { output, exitCode } = await bunTest(folder, "-t", "PS-9");
    expect(output).toContain(
      "(fail) PubSubPort on the minimal broker > PS-9 a repeated key answers the first positions",
    );
    expect(exitCode).toBe(1);
  });

  test("fails its suite if it declares more than it gives", async () => {
    const folder = broken("wrong-durability", "events.ts", 'keptIn: "process"', 'keptIn: "disk"');
    const { output, exitCode } = await bunTest(folder, "-t", "BND-1");
    expect(output).toContain(
      "(fail) BrokerPorts on the minimal broker > BND-1 a bundle declares what its tests say",
    );
    expect(output).toMatch(/^\+ +"durability:disk",$/m);
    expect(exitCode).toBe(1);
  });

  test("is the one that the guide shows", () => {
    const shown = [
      ["broker.ts", snippetOf("docs/WRITING-AN-ADAPTER.md", "The smallest adapter", "ts")],
      ["broker.test.ts", snippetOf("docs/WRITING-AN-ADAPTER.md", "Run the suites", "ts")],
      ["../package.json", snippetOf("docs/WRITING-AN-ADAPTER.md", "Publish it", "json")],
    ] as const;
    for (const [file, text] of shown)
      expect([file, text.trim()]).toEqual([
        file,
        readFileSync(join(ROOT, "examples/minimal-broker/src", file), "utf8").trim(),
      ]);
  });

  test("is begun with the package that npm packs, and with the tools that this test has", () => {
    const install = snippetOf("docs/WRITING-AN-ADAPTER.md", "Begin", "sh");
    expect(install).toContain(`../${installed.tarball} ${TOOLS.join(" ")}`);
  });

  test("is opened by the command `telltale`, and events go through it", async () => {
    const start = snippetOf("docs/WRITING-AN-ADAPTER.md", "Start a gateway with it", "sh");
    expect(start).toBe("BROKER=module:./src/broker.ts npx telltale");
    await servesEvents(join(installed.folder, "node_modules/.bin/telltale"));
  });

  test("is one file that the executable of the image opens", async () => {
    const bundle = await installed.run(
      "bash",
      "-c",
      snippetOf("docs/WRITING-AN-ADAPTER.md", "Publish it", "sh"),
    );
    expect(bundle).toMatchObject({ exitCode: 0 });
    const main = "node_modules/telltale/src/main.ts";
    const compiled = await installed.run(process.execPath, "build", "--compile", main, "--outfile=image");
    expect(compiled).toMatchObject({ exitCode: 0 });
    const { output, exitCode } = await installed.run("bash", "-c", "BROKER=module:./broker.js ./image check");
    expect(output).toContain("dead_letters, durability:process, replicas:0");
    expect(exitCode).toBe(0);
  });

  test("is told which programs run the suites if another one loads telltale/testing", async () => {
    const load = 'import("telltale/testing").catch((error) => console.log(error.message))';
    const { output } = await installed.run("node", "-e", load);
    expect(output.trim()).toBe(
      "telltale/testing runs by `bun test`, and by `deno test` as docs/WRITING-AN-ADAPTER.md says",
    );
  });

  describe("on Deno", () => {
    const [testIt, startIt] = snippetOf(
      "docs/WRITING-AN-ADAPTER.md",
      "Test it on Deno, and start it there",
      "sh",
    ).split("\n");

    beforeAll(async () => {
      const [unpack, install] = snippetOf("docs/WRITING-AN-ADAPTER.md", "On Deno", "sh").split("\n");
      expect(unpack).toBe(`tar -xzf ../${installed.tarball}`);
      await installed.run("tar", "-xzf", installed.tarball);
      expect(install).toBe(`npm install --save-dev ${TOOLS_OF_DENO.join(" ")}`);
      writeFileSync(
        join(installed.folder, "deno.json"),
        snippetOf("docs/WRITING-AN-ADAPTER.md", "On Deno", "json"),
      );
    });

    test("passes the same suites", async () => {
      const { output, exitCode } = await installed.run("bash", "-c", testIt ?? "");
      expect(output).toMatch(/^ok \| \d+ passed \(\d{2,} steps\) \| 0 failed/m);
      expect(exitCode).toBe(0);
    });

    test("fails a suite by the name of the rule that it breaks", async () => {
      const append = "firstOffset: offset - events.length + 1,";
      const folder = broken("wrong-on-deno", "events.ts", append, "firstOffset: offset,");
      const command = `${testIt?.replace(/src$/, folder)} --filter=PubSubPort`;
      const { output, exitCode } = await installed.run("bash", "-c", command);
      expect(output).toMatch(/PS-9 a repeated key answers the first positions.* FAILED/);
      expect(exitCode).toBe(1);
    });

    test("is opened by a gateway on Deno, and events go through it", async () => {
      const command = /^BROKER=module:.\/src\/broker.ts npx (deno .*)$/.exec(startIt ?? "")?.[1] ?? "";
      await servesEvents(["node_modules/.bin/deno", ...command.split(" ").slice(1)]);
    });
  });

  /** Whether the gateway that this command starts stores an event with the adapter. */
  async function servesEvents(command: string | readonly string[]): Promise<void> {
    const gateway = await startGateway({ BROKER: "module:./src/broker.ts" }, command, installed.folder);
    try {
      const health = (await (await fetch(`${gateway.url}/ws/health`)).json()) as Record<string, unknown>;
      expect(health).toMatchObject({ broker: { kind: "minimal", status: "up" } });
      const answer = await publish(gateway, crypto.randomUUID(), statusUpdate());
      expect(answer.status).toBe(202);
      expect(await gateway.stop()).toBe(0);
    } finally {
      await gateway.kill9();
    }
  }
});
