import type { Settings } from "./settings.ts";

/**
 * Whether the demo is served: its page, its pipeline, and tokens for every visitor. It never is in production. Otherwise
 * DEMO decides. If DEMO is not set, the demo is served only if no other machine can reach it and the key was made up.
 */
export function readDemo(
  settings: Settings,
  gateway: {
    readonly mode: "development" | "production";
    readonly host: string;
    readonly keyMadeUp: boolean;
    /** Whether it has a key to sign with. */
    readonly signs: boolean;
  },
  note: (text: string) => void,
): boolean {
  if (gateway.mode === "production") {
    if (settings.isSet("DEMO") && settings.unread("DEMO") !== "off") {
      note("DEMO is not used: with NODE_ENV=production the demo is always off.");
    } else settings.decide("DEMO", "off");
    return false;
  }
  const isHarmless = gateway.keyMadeUp && isLoopback(gateway.host);
  const isOn = settings.choice("DEMO", ["on", "off"], isHarmless ? "on" : "off") === "on";
  if (isOn && !gateway.signs && !settings.isSet("JWT_SECRET_KEY"))
    settings.fault("DEMO", "needs JWT_SECRET_KEY, to sign the tokens of its visitors");
  if (isOn && !isHarmless) {
    const why = gateway.keyMadeUp ? "HOST is reached from other machines" : "JWT_SECRET_KEY is yours";
    note(`DEMO is on, and ${why}: whoever reaches this gateway gets a token that it takes.`);
  }
  return isOn;
}

/** Whether only this machine reaches the address. Any name other than `localhost` may lead elsewhere. */
export function isLoopback(host: string): boolean {
  const url = URL.parse(`http://${host.includes(":") ? `[${host}]` : host}`);
  const name = url?.hostname ?? "";
  // URLs write every spelling of an address in one way: `127.1` as `127.0.0.1`.
  return name === "localhost" || name === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(name);
}
