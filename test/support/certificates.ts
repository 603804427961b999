import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate with its key, in files of PEM. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** An authority of the tests' own, made by openssl in a folder that `remove` takes away. */
export class TestAuthority {
  readonly folder = mkdtempSync(join(tmpdir(), "telltale-ca-"));
  /** The certificate of the authority. */
  readonly ca = join(this.folder, "ca.pem");
  readonly #key = join(this.folder, "ca.key");

  constructor(name = "Authority of the tests") {
    this.#openssl(
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
      ...["-subj", `/CN=${name}`, "-keyout", this.#key, "-out", this.ca],
    );
  }

  /**
   * Signs a certificate for a server under these names, as `DNS:localhost` and `IP:127.0.0.1`, or for a client: for two days,
   * or only until now.
   */
  sign(name: string, alternatives: string, { expired = false } = {}): CertificateFiles {
    const [key, request, cert, extensions] = ["key", "csr", "pem", "ext"].map((ending) =>
      join(this.folder, `${name}.${ending}`),
    ) as [string, string, string, string];
    writeFileSync(extensions, `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n`);
    this.#openssl(
      ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-subj", `/CN=${name}`, "-keyout", key, "-out", request],
    );
    this.#openssl(
      ...["x509", "-req", "-days", expired ? "0" : "2", "-in", request, "-CA", this.ca, "-CAkey", this.#key],
      ...["-CAcreateserial", "-extfile", extensions, "-out", cert],
    );
    // It is good for the rest of this second.
    if (expired) Bun.sleepSync(1_000);
    return { cert, key };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #openssl(...words: readonly string[]): void {
    const { success, stderr } = Bun.spawnSync(["openssl", ...words], { stdout: "ignore", stderr: "pipe" });
    if (!success) throw new Error(`openssl ${words[0]} failed: ${stderr}`);
  }
}
