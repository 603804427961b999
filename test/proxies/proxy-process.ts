import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { freePort } from "../support/free-port.ts";
import { programPath } from "../support/needs.ts";

export interface ProxyProcess {
  readonly url: string;
  /** All that it logged about requests so far. */
  log(): Promise<string>;
  /** Resolves when it has ended. */
  stop(): Promise<void>;
}

export interface ProxyKind {
  readonly name: "nginx" | "caddy";
  /** The file of `deploy/` as users take it, with these replaced: our address, the gateway's, the folder of logs. */
  readonly snippet: string;
  readonly replace: (text: string, place: Place) => string;
  readonly command: (configPath: string) => readonly string[];
}

interface Place {
  readonly home: string;
  readonly port: number;
  /** `host:port` of the gateway. */
  readonly upstream: string;
}

const answerMs = 10_000;
const root = new URL("../..", import.meta.url).pathname;

/** Runs the real proxy on a free port of this machine, with our snippet as its only site. */
export async function startProxy(kind: ProxyKind, upstream: string): Promise<ProxyProcess> {
  const home = await mkdtemp(`${tmpdir()}/${kind.name}-`);
  await mkdir(`${home}/log`);
  const port = await freePort();
  const config = `${home}/config`;
  const text = await Bun.file(`${root}deploy/${kind.snippet}`).text();
  await Bun.write(config, kind.replace(text, { home, port, upstream }));
  const errors = `${home}/errors`;
  const child = Bun.spawn([...kind.command(config)], {
    env: { PATH: process.env.PATH ?? "", HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home },
    stdin: "ignore",
    stdout: Bun.file(errors),
    stderr: Bun.file(errors),
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await child.exited;
    await rm(home, { recursive: true });
  };
  if (!(await listens(port, child))) {
    const said = await Bun.file(errors).text();
    await stop();
    throw new Error(`${kind.name} did not start:\n${said}`);
  }
  return { url: `http://127.0.0.1:${port}`, log: () => Bun.file(`${home}/log/telltale.log`).text(), stop };
}

export const nginx: ProxyKind = {
  name: "nginx",
  snippet: "nginx.conf",
  replace: (text, { home, port, upstream }) => `
    daemon off;
    ${process.getuid?.() === 0 ? "user root;" : ""}
    pid ${home}/pid;
    error_log ${home}/errors;
    events {}
    http {
      ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((of) => `${of}_temp_path ${home}/${of};`).join("\n")}
      ${swap(text, { "listen 80": `listen 127.0.0.1:${port}`, "127.0.0.1:8000": upstream, "/var/log/nginx": `${home}/log` })}
    }`,
  command: (config) => [programPath("nginx"), "-c", config],
};

export const caddy: ProxyKind = {
  name: "caddy",
  snippet: "Caddyfile",
  replace: (text, { home, port, upstream }) =>
    swap(text, {
      "\n{\n": "\n{\n\tadmin off\n",
      "telltale.example.com {": `http://127.0.0.1:${port} {`,
      "127.0.0.1:8000": upstream,
      "/var/log/caddy": `${home}/log`,
    }),
  command: (config) => [programPath("caddy"), "run", "--adapter", "caddyfile", "--config", config],
};

/** A text that a snippet no longer has is a fault: the test would run something else than users do. */
function swap(text: string, pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs).reduce((result, [from, to]) => {
    if (!result.includes(from)) throw new Error(`the snippet has no ${from}`);
    return result.replaceAll(from, to);
  }, text);
}

async function listens(port: number, child: Bun.Subprocess): Promise<boolean> {
  const deadline = Date.now() + answerMs;
  while (child.exitCode === null && Date.now() < deadline) {
    const connected = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).then(
      (socket) => {
        socket.end();
        return true;
      },
      () => false,
    );
    if (connected) return true;
  }
  return false;
}
