/** What a PostgreSQL of the tests needs for TLS. */
import { chown, readFile } from "node:fs/promises";
import { unprivileged } from "../../infra/local/postgres.ts";
import { makeCertificates } from "./dockerd.ts";

/**
 * Makes a CA, and a certificate of 127.0.0.1 that it has signed.
 * @param folder stays for as long as the server runs
 * @returns the server's settings, and the CA as a PEM
 */
export async function postgresTls(
  folder: string,
): Promise<{ settings: Readonly<Record<string, string>>; ca: string }> {
  const { server } = await makeCertificates(folder);
  const user = await unprivileged();
  // The server reads its key as its own user, and refuses one that others may read.
  if ("uid" in user)
    for (const path of [folder, server.cert, server.key]) await chown(path, user.uid, user.gid);
  return {
    settings: { ssl: "on", ssl_cert_file: server.cert, ssl_key_file: server.key },
    ca: await readFile(server.ca, "utf8"),
  };
}
