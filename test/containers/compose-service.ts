/** One service of `compose.yaml`, with the settings that our file uses and no more. */
export interface ComposeService {
  readonly user?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
}

export async function readCompose(root: string): Promise<Readonly<Record<string, ComposeService>>> {
  const text = await Bun.file(`${root}compose.yaml`).text();
  return (Bun.YAML.parse(text) as { services: Record<string, ComposeService> }).services;
}

/** The options and the command of `docker run` that amount to the service, with `${NAME:-x}` filled in from `env`. */
export function runArguments(
  service: ComposeService,
  image: string,
  env: Readonly<Record<string, string>>,
): string[] {
  const fill = (text: string) => interpolate(text, env);
  const [check, ...checkCommand] = service.healthcheck?.test ?? [];
  if (check !== undefined && check !== "CMD") throw new Error(`no shell in the image for ${check}`);
  return [
    ...(service.user === undefined ? [] : ["--user", service.user]),
    ...(service.read_only === true ? ["--read-only"] : []),
    ...(service.cap_drop ?? []).flatMap((capability) => ["--cap-drop", capability]),
    ...(service.security_opt ?? []).flatMap((option) => ["--security-opt", option]),
    ...(service.stop_grace_period === undefined
      ? []
      : ["--stop-timeout", `${Number.parseInt(service.stop_grace_period, 10)}`]),
    // Without its name, so that it goes with its container.
    ...(service.volumes ?? []).flatMap((volume) => ["--volume", volume.replace(/^[^:]+:/, "")]),
    ...(service.ports ?? []).flatMap((port) => ["--publish", fill(port)]),
    ...Object.entries(service.environment ?? {}).flatMap(([name, value]) => {
      const given = value === null ? env[name] : fill(value);
      return given === undefined ? [] : ["--env", `${name}=${given}`];
    }),
    ...(checkCommand.length === 0 ? [] : ["--health-cmd", checkCommand.join(" ")]),
    // Sooner than a user needs it, because a test waits for the first answer.
    ...["--health-interval", "1s"],
    image,
    ...(service.command ?? []),
  ];
}

function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, sign: string, rest: string) => {
    const value = env[name];
    if (value !== undefined && value !== "") return value;
    if (sign === "-") return rest;
    throw new Error(`${name}: ${rest}`);
  });
}
