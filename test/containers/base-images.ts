import { chmod, copyFile, cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { programPath } from "../support/needs.ts";
import type { DockerEngine } from "./docker-engine.ts";

/**
 * Bases made of this machine's own binaries, because no registry can be asked for the usual ones. Each stands in
 * for the public image whose name it is given the place of: the same programs at the same places, nothing else.
 */
export async function importBases(docker: DockerEngine, root: string) {
  const bun = await realpath(`${root}node_modules/.bin/bun`);
  return {
    /** For `oven/bun`: bun and a shell; the packages lie ready, so installing them finds nothing to fetch. */
    build: await importImage(docker, "telltale-test/build", async (folder) => {
      await install(folder, "/usr/local/bin/bun", bun);
      await install(folder, "/bin/sh", "/bin/sh");
      await copyProductionPackages(root, `${folder}/build`);
    }),
    /** For distroless `cc`: the C library that the executable was linked with. */
    run: await importImage(docker, "telltale-test/run", (folder) => copyLibraries(folder, bun)),
    /** For `redis`, `caddy`, `prom/prometheus` and a worker in Python: none of its own, but what is mounted of this machine's. */
    machine: await importImage(
      docker,
      "telltale-test/machine",
      async (folder) => {
        for (const place of ["usr", "etc/alternatives", "etc/caddy", "etc/prometheus", "run"])
          await mkdir(`${folder}/${place}`, { recursive: true });
        for (const place of ["bin", "lib", "lib64"]) await symlink(`usr/${place}`, `${folder}/${place}`);
        await writeFile(`${folder}/etc/passwd`, "redis:x:999:999::/data:/\nworker:x:65532:65532::/:/\n");
        await writeFile(`${folder}/etc/group`, "worker:x:65532:\n");
        for (const place of ["data", "prometheus"]) {
          await mkdir(`${folder}/${place}`);
          await chmod(`${folder}/${place}`, 0o777);
        }
        await cp(`${root}examples/video-worker/worker`, `${folder}/app/worker`, { recursive: true });
        const client = "telltale_client";
        await cp(`${root}clients/python/${client}`, `${folder}/app/${client}`, { recursive: true });
      },
      // Debian's Python: the one in /usr/local need not see Debian's packages.
      ["ENV PATH=/usr/bin", "WORKDIR /app"],
    ),
  };
}

/** Mounts into the containers of `machine`: Debian's programs and libraries, read only. */
export const MACHINE_MOUNTS = [
  "/usr:/usr:ro",
  "/etc/alternatives:/etc/alternatives:ro",
  "/etc/ld.so.cache:/etc/ld.so.cache:ro",
];

/** For `redis`: the server, its client, a shell, and a user who may write the data. */
export function importRedis(docker: DockerEngine): Promise<string> {
  return importImage(docker, "telltale-test/redis", fillRedis, ["WORKDIR /data", "VOLUME /data"]);
}

/** For `nats`: the server alone. */
export function importNats(docker: DockerEngine): Promise<string> {
  return importImage(docker, "telltale-test/nats", async (folder) =>
    install(folder, "/usr/local/bin/nats-server", await realpath(programPath("nats-server"))),
  );
}

async function fillRedis(folder: string): Promise<void> {
  await install(folder, "/bin/sh", "/bin/sh");
  for (const name of ["redis-server", "redis-cli"]) {
    await install(folder, `/usr/local/bin/${name}`, await realpath(programPath(name)));
  }
  await mkdir(`${folder}/etc`);
  await writeFile(`${folder}/etc/passwd`, "redis:x:999:999::/data:/\n");
  await mkdir(`${folder}/data`);
  await chmod(`${folder}/data`, 0o777);
}

async function importImage(
  docker: DockerEngine,
  name: string,
  fill: (folder: string) => Promise<void>,
  settings: readonly string[] = [],
): Promise<string> {
  const folder = await mkdtemp(`${tmpdir()}/base-`);
  try {
    await chmod(folder, 0o755);
    await mkdir(`${folder}/tmp`);
    await chmod(`${folder}/tmp`, 0o1777);
    await fill(folder);
    const tar = Bun.spawn(["tar", "-C", folder, "--owner=0", "--group=0", "-c", "."], {
      stdin: "ignore",
      stdout: "pipe",
    });
    const changes = ["ENV PATH=/usr/local/bin:/usr/bin:/bin", ...settings].flatMap((change) => [
      "--change",
      change,
    ]);
    await docker.run(["import", ...changes, "-", name], tar.stdout);
    if ((await tar.exited) !== 0) throw new Error(`tar could not pack ${name}`);
    return name;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A program at the given place, with the libraries it is linked with at theirs. */
async function install(folder: string, place: string, program: string): Promise<void> {
  await copyInto(folder, place, program);
  await copyLibraries(folder, program);
}

async function copyLibraries(folder: string, program: string): Promise<void> {
  const listing = await Bun.$`ldd ${program}`.text();
  for (const [, library] of listing.matchAll(/(?:=> )?(\/\S+) \(0x/g)) {
    if (library !== undefined) await copyInto(folder, library, library);
  }
}

async function copyInto(folder: string, place: string, file: string): Promise<void> {
  await mkdir(dirname(folder + place), { recursive: true });
  await copyFile(file, folder + place);
}

async function copyProductionPackages(root: string, target: string): Promise<void> {
  const listing = await Bun.$`npm ls --omit=dev --all --parseable`.cwd(root).quiet().text();
  const paths = listing.trim().split("\n").slice(1);
  const places = new Set(paths.map((path) => path.slice(root.length)));
  for (const path of paths) {
    const place = path.slice(root.length);
    await cp(path, `${target}/${place}`, { recursive: true });
    // npm keeps a package below another one if a development package has its place. Bun, which installs no such package,
    // looks for it at the top.
    const atTop = place.slice(place.lastIndexOf("node_modules/"));
    if (!places.has(atTop)) await cp(path, `${target}/${atTop}`, { recursive: true });
  }
}
