/** How every client of AWS sends its requests. */

/**
 * A function is frozen between two events, and its pooled sockets with it. When it thaws the other side has closed them,
 * and nobody has heard of that: a request on such a socket fails. A socket that was idle for this long is ended instead.
 */
const IDLE_MS = 4_000;
const agent = () => ({ keepAlive: true, timeout: IDLE_MS });

/** Options of an SDK client that gives up in seconds: a cycle waits for it. */
export const awsRequests = () => ({
  requestHandler: {
    connectionTimeout: 1_000,
    requestTimeout: 3_000,
    throwOnRequestTimeout: true,
    httpsAgent: agent(),
    httpAgent: agent(),
  },
});
