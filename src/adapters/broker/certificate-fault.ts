import { BrokerUnavailable } from "../../application/errors.ts";

/** The words in which a fault names the broker and its settings. */
interface CertificateWords {
  readonly broker: string;
  /** The settings of the address, of the authorities, and of the gateway's certificate with its key. */
  readonly address: string;
  readonly ca: string;
  /** False: the authorities of the runtime are trusted. */
  readonly isCaSet: boolean;
  readonly cert: string;
  readonly key: string;
  /** How an operator mends a server without TLS. */
  readonly plain: string;
}

/** The words of the runtimes for a certificate that is not accepted, and how an operator mends it. */
const FAULTS: readonly (readonly [said: RegExp, hint: (words: CertificateWords) => string])[] = [
  [
    /ALTNAME|HOSTNAME|NotValidForName/i,
    ({ address }) =>
      `its certificate is for other host names: use one of these in ${address}, or give the server another certificate`,
  ],
  [
    /ALERT_CERTIFICATE_EXPIRED|alert:? (?:received )?.*certificate.?expired/i,
    ({ cert }) => `it does not accept the certificate of the gateway, which is out of date: renew ${cert}`,
  ],
  [/EXPIRED|NOT_YET_VALID/i, () => "its certificate is out of date, or a clock is wrong"],
  [
    // Deno says so of a certificate that has expired as well.
    /UNABLE_TO_VERIFY_LEAF/,
    (words) => `${unknownAuthority(words)}, or its certificate is out of date`,
  ],
  [
    /SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)|UnknownIssuer|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE|BadSignature/i,
    (words) => unknownAuthority(words),
  ],
  [
    /ALERT_(?:BAD_|UNKNOWN_|UNSUPPORTED_)?(?:CERTIFICATE|CA)|(?:bad|unknown|required) certificate|CertificateRequired|UnknownCA/i,
    ({ cert, key }) => `it does not accept the certificate of the gateway: look at ${cert} and ${key}`,
  ],
  [/does not support 'tls'|WRONG_VERSION_NUMBER/, ({ plain }) => `it has no TLS: ${plain}`],
];

function unknownAuthority({ ca, isCaSet }: CertificateWords): string {
  return isCaSet
    ? `${ca} does not hold the authority that signed its certificate`
    : `this machine does not know the authority that signed its certificate: set ${ca}_FILE`;
}

/** Translates the failure of a connection whose certificate is not accepted; undefined if it failed for another reason. */
export function certificateFault(error: unknown, words: CertificateWords): BrokerUnavailable | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = "code" in cause ? String(cause.code) : "";
    const fault = FAULTS.find(([said]) => said.test(code) || said.test(cause.message));
    if (fault === undefined) continue;
    const said = code === "" || cause.message.includes(code) ? cause.message : `${cause.message}, ${code}`;
    return new BrokerUnavailable(`${words.broker} cannot be trusted (${said}): ${fault[1](words)}`, {
      cause: error,
      trouble: { cause: "certificate" },
    });
  }
  return undefined;
}
