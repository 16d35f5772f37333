/**
 * The entry point of the function that reads a few Docker daemons. The cycle function invokes several of it side by side.
 * It has the client certificate of the daemons, and nothing else: no token of another source, no state, no channel.
 */
import { deployedEnvironment } from "../shared/config/secret.ts";
import { CERTIFICATE_NAMES } from "../shared/sources/docker/certificates.ts";
import { answerReader, type ReaderAnswer } from "../shared/sources/docker/reader.ts";

/** Each call reads the secret: a rotated certificate takes effect in the next cycle. */
const SECRET_MAX_AGE_MS = 0;

/**
 * Reads the daemons of one call.
 * @param event a call of the cycle function
 * @returns what was read of each daemon, or why it could not be
 * @throws if the configuration is invalid, or the event is no call
 */
export const handler = async (event: unknown): Promise<ReaderAnswer> =>
  answerReader(event, await deployedEnvironment(SECRET_MAX_AGE_MS, CERTIFICATE_NAMES));
