/** The variables of the client certificate: all that a reader of daemons has. */
import { authority, pem } from "../../config/source-variables.ts";
import type { Values } from "../../config/variable.ts";
import type { DockerTls } from "./connect.ts";

export const CERTIFICATES = {
  ca: authority(
    "DOCKER_TLS_CA",
    "the CA that the daemons' certificates are checked against: a PEM, or the path of a file. The system's CAs where it is not set",
  ),
  cert: pem("DOCKER_TLS_CERT", "the client certificate: a PEM, or the path of a file"),
  key: pem("DOCKER_TLS_KEY", "its key: a PEM, or the path of a file"),
};

/** The variables that the secret of a reader may hold. */
export const CERTIFICATE_NAMES: readonly string[] = Object.values(CERTIFICATES).map(({ name }) => name);

/** Reports a certificate without its key, and a key without its certificate. */
export function checkPair(
  { cert, key }: Pick<Values<typeof CERTIFICATES>, "cert" | "key">,
  problem: (line: string) => void,
): void {
  if ((cert === null) === (key === null)) return;
  const missing = cert === null ? CERTIFICATES.cert : CERTIFICATES.key;
  problem(`${missing.name} is missing: a client certificate needs its key, and a key its certificate`);
}

/** Leaves out the certificates that are not named. */
export const dockerTls = ({ ca, cert, key }: { [K in "ca" | "cert" | "key"]: string | null }): DockerTls => ({
  ...(ca && { ca }),
  ...(cert && { cert }),
  ...(key && { key }),
});
