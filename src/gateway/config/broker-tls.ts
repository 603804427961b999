import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Settings } from "./settings.ts";
import type { VariableName } from "./variables.ts";

/** The certificates of a connection to a broker. Each text is PEM. */
export interface BrokerTls {
  /** The authorities that are trusted; those of the runtime if it is left out. */
  readonly ca?: string;
  /** The certificate of the gateway, and its key. */
  readonly cert?: string;
  readonly key?: string;
}

/** The settings of one broker. */
interface TlsSettings {
  readonly ca: VariableName;
  readonly cert: VariableName;
  readonly key: VariableName;
  /** The setting that asks for TLS, and how: `tls:// in NATS_URL`. */
  readonly askedBy: string;
}

/** Reads the certificates. If `isTls` is false, each of them that is set is a fault: nobody would look at it. */
export function readBrokerTls(settings: Settings, names: TlsSettings, isTls: boolean): BrokerTls {
  const read = (name: VariableName, label: string) =>
    isTls ? readPem(settings, name, label) : refuse(settings, name, names.askedBy);
  const ca = read(names.ca, "CERTIFICATE");
  const cert = read(names.cert, "CERTIFICATE");
  const key = read(names.key, "PRIVATE KEY");
  const together = `${names.cert} and ${names.key} go together; set both`;
  if (cert !== undefined && !settings.isSet(names.key)) settings.fault(names.key, together);
  if (key !== undefined && !settings.isSet(names.cert)) settings.fault(names.cert, together);
  if (cert !== undefined && key !== undefined && isForeign(cert, key))
    settings.fault(names.key, `is not the key of the certificate in ${names.cert}`);
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && key !== undefined && { cert, key }) };
}

function refuse(settings: Settings, name: VariableName, askedBy: string): undefined {
  if (settings.isSet(name)) settings.fault(name, `needs ${askedBy}: without it nobody would look at it`);
}

/** Whether the key belongs to another certificate. Runtimes differ in how they say so, and some end the client by it. */
function isForeign(cert: string, key: string): boolean {
  try {
    return !new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    // The runtime judges a text that cannot be read here: it may read more.
    return false;
  }
}

function readPem(settings: Settings, name: VariableName, label: string): string | undefined {
  const text = settings.text(name);
  if (text === undefined || new RegExp(`-----BEGIN (?:[A-Z]+ )?${label}-----`).test(text)) return text;
  settings.badValue(name, `must be PEM, with a line BEGIN ${label}; name a file as ${name}_FILE`);
  return undefined;
}
