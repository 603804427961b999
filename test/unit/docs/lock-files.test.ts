import { describe, expect, test } from "bun:test";

const root = new URL("../../../", import.meta.url).pathname;

interface NpmPackage {
  readonly name?: string;
  readonly version: string;
  readonly dev?: boolean;
  readonly engines?: { readonly node?: string };
}

describe("npm and Bun install the same", async () => {
  const npmText = await Bun.file(`${root}package-lock.json`).text();
  const bunText = await Bun.file(`${root}bun.lock`).text();
  const manifest = await Bun.file(`${root}package.json`).json();
  const packages = Object.entries((JSON.parse(npmText) as { packages: Record<string, NpmPackage> }).packages)
    .filter(([path]) => path !== "")
    .map(([path, { name, ...entry }]) => ({ name: name ?? path.replace(/^.*node_modules\//, ""), ...entry }));

  test("their lock files name the same versions", () => {
    const lock = Bun.JSONC.parse(bunText) as { packages: Record<string, [string]> };
    const ofBun = new Set(Object.values(lock.packages).map(([id]) => id));
    expect([...new Set(packages.map(({ name, version }) => `${name}@${version}`))].sort()).toEqual(
      [...ofBun].sort(),
    );
  });

  test("their lock files hold no address of a registry", () => {
    for (const text of [npmText, bunText]) expect(text.match(/"resolved"|[^"]*\.tgz/g)).toBeNull();
    expect(bunText).not.toContain("://");
  });

  test("nothing asks for a newer Node than the one that is asked for, so that nothing warns", () => {
    const asked = /^>=(\d+\.\d+\.\d+)$/.exec(manifest.engines.node)?.[1] ?? "";
    expect(asked).not.toBe("");
    const warning = packages.filter(
      ({ engines }) => engines?.node !== undefined && !Bun.semver.satisfies(asked, engines.node),
    );
    expect(warning).toEqual([]);
  });

  test("the same packages may run a script at their installation", () => {
    const allowed = Object.entries(manifest.allowScripts).filter(([, may]) => may);
    expect([...manifest.trustedDependencies].sort()).toEqual(allowed.map(([name]) => name).sort());
  });

  test("a production install holds the libraries and no tool", () => {
    const installed = packages.filter(({ dev }) => dev !== true).map(({ name }) => name);
    expect(installed.length).toBeLessThan(50);
    for (const tool of Object.keys(manifest.devDependencies)) expect(installed).not.toContain(tool);
  });
});
