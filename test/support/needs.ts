import { dirname } from "node:path";

/** A program that some tests need, and that a machine may lack. */
export type Need =
  | "redis-server"
  | "nats-server"
  | "postgres"
  | "chromium"
  | "ffmpeg"
  | "celery"
  | "nginx"
  | "caddy"
  | "openssl"
  | "docker"
  | "docker-compose"
  | "helm"
  | "go"
  | "java"
  | "npm"
  | "prometheus"
  | "promtool"
  | "zsh"
  | "fish";

/** No package has helm, and those of Go and Java are large: their tests run if somebody installed them, and CI goes without. */
const beyondPackages: ReadonlySet<Need> = new Set(["helm", "go", "java"]);

/**
 * Whether the tests that need `name` can run here; use it as `describe.skipIf(!needs("nginx"))`. Says aloud, once,
 * what is skipped for want of it. Under `CI=true` nothing else may be absent: throws.
 */
export function needs(name: Need): boolean {
  if (probes[name]()) return true;
  if (process.env.CI === "true" && !beyondPackages.has(name))
    throw new Error(`${name} is missing, and CI=true lets nothing be skipped`);
  if (!announced.has(name)) console.warn(`skipped for want of ${name}`);
  announced.add(name);
  return false;
}

/** The path of a program, also in the folders that only root searches (`/usr/sbin`). Throws if there is none. */
export function programPath(name: string): string {
  const path = find(name);
  if (path === null) throw new Error(`${name} is not installed`);
  return path;
}

/** The folder of the newest PostgreSQL's programs: Debian keeps them away from PATH. Undefined if there is none. */
export function postgresFolder(): string | undefined {
  const versions = [...new Bun.Glob("/usr/lib/postgresql/*/bin/initdb").scanSync({ onlyFiles: false })];
  const newest = versions.sort(new Intl.Collator("en", { numeric: true }).compare).at(-1) ?? find("initdb");
  return newest === null ? undefined : dirname(newest);
}

const announced = new Set<Need>();

const probes: Readonly<Record<Need, () => boolean>> = {
  "redis-server": () => find("redis-server") !== null,
  "nats-server": () => find("nats-server") !== null,
  postgres: () => postgresFolder() !== undefined,
  chromium: () => find("chromium") !== null,
  ffmpeg: () => find("ffmpeg") !== null && find("ffprobe") !== null,
  // Debian's Python, because the one that comes first on PATH need not see Debian's packages.
  celery: () => succeeds("/usr/bin/python3", "-c", "import celery, redis"),
  nginx: () => find("nginx") !== null,
  caddy: () => find("caddy") !== null,
  prometheus: () => find("prometheus") !== null,
  promtool: () => find("promtool") !== null,
  npm: () => find("npm") !== null,
  openssl: () => find("openssl") !== null,
  zsh: () => find("zsh") !== null,
  fish: () => find("fish") !== null,
  helm: () => find("helm") !== null,
  go: () => find("go") !== null,
  // With its compiler: a program is run from its source.
  java: () => find("javac") !== null,
  "docker-compose": () => find("docker-compose") !== null,
  docker: () => find("docker") !== null && (engineAnswers() || canStartEngine()),
};

function find(name: string): string | null {
  return Bun.which(name, { PATH: `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin` });
}

function engineAnswers(): boolean {
  return succeeds("docker", "version", "--format", "{{.Server.Version}}");
}

function canStartEngine(): boolean {
  return find("dockerd") !== null && process.getuid?.() === 0;
}

function succeeds(...command: string[]): boolean {
  try {
    return Bun.spawnSync(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).success;
  } catch (cause) {
    if (isNotFound(cause)) return false;
    throw cause;
  }
}

function isNotFound(cause: unknown): boolean {
  return cause instanceof Error && (cause as { code?: unknown }).code === "ENOENT";
}
