import { BrokerUnavailable } from "../../application/errors.ts";

/** The words of the runtimes for a certificate that is not accepted, and how an operator mends it. */
const FAULTS: readonly (readonly [code: RegExp, hint: string])[] = [
  [
    /ALTNAME|HOSTNAME|NotValidForName/i,
    "its certificate is for other host names: use one of these in NATS_URL, or give the server another certificate",
  ],
  [/EXPIRED|NOT_YET_VALID/i, "its certificate is out of date, or a clock is wrong"],
  [
    /SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)|UnknownIssuer|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE|BadSignature/i,
    "NATS_CA does not hold the authority that signed its certificate",
  ],
  [
    /ALERT_(?:BAD_|UNKNOWN_|UNSUPPORTED_)?CERTIFICATE|(?:bad|unknown|required) certificate|CertificateRequired/i,
    "it does not accept the certificate of the gateway: look at NATS_CERT and NATS_KEY",
  ],
  [/does not support 'tls'/, "it has no TLS: set `tls` in its configuration, or use nats:// in NATS_URL"],
];

/** Translates the failure of a connection whose certificate is not accepted; undefined if it failed for another reason. */
export function certificateFault(error: unknown): BrokerUnavailable | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = "code" in cause ? String(cause.code) : "";
    const fault = FAULTS.find(([words]) => words.test(code) || words.test(cause.message));
    if (fault === undefined) continue;
    const said = code === "" || cause.message.includes(code) ? cause.message : `${cause.message}, ${code}`;
    return new BrokerUnavailable(`NATS cannot be trusted (${said}): ${fault[1]}`, {
      cause: error,
      trouble: { cause: "certificate" },
    });
  }
  return undefined;
}
