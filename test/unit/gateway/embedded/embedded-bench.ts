import { createTelltale, type Grant, type Telltale, type TelltaleOptions } from "telltale/core";

/** A gateway that its test embeds, with the users `ada`, who may watch everything, and `worker`, who may publish. */
export async function embedded(options: Partial<TelltaleOptions> = {}): Promise<Telltale> {
  const telltale = await createTelltale({ tokens: userOfCookie, ...options });
  started.push(telltale);
  return telltale;
}

/** Ends every gateway of the test. */
export async function endEmbedded(): Promise<void> {
  await Promise.all(started.splice(0).map((telltale) => telltale.close()));
}

const started: Telltale[] = [];

const GRANTS: Readonly<Record<string, Grant>> = {
  ada: { userId: "ada", analyses: "*" },
  bob: { userId: "bob", analyses: [] },
  worker: { userId: "worker", mayPublish: true },
};

function userOfCookie(request: Request): Grant | undefined {
  return GRANTS[/user=(\w+)/.exec(request.headers.get("Cookie") ?? "")?.[1] ?? ""];
}

/** A request as the application got it. */
export function requestOf(path: string, user: string | undefined, init: RequestInit = {}): Request {
  return new Request(`http://app.example${path}`, {
    ...init,
    headers: {
      Host: "app.example",
      ...(user !== undefined && { Cookie: `user=${user}` }),
      ...(init.headers as Record<string, string>),
    },
  });
}
