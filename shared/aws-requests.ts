/** How every client of AWS sends its requests. */

/**
 * A function is frozen between two events, and its pooled sockets with it. When it thaws the other side has closed them,
 * and nobody has heard of that: a request on such a socket fails. A socket that was idle for this long is ended instead.
 */
const IDLE_MS = 4_000;

/**
 * Options of an SDK client that gives up in seconds: a cycle waits for it. A request that takes such a socket before its
 * timer has fired fails, and is sent again by the SDK.
 * @param idleMs after how many ms an idle socket is ended
 */
export const awsRequests = (idleMs = IDLE_MS) => ({
  maxAttempts: 3,
  requestHandler: {
    connectionTimeout: 1_000,
    requestTimeout: 3_000,
    throwOnRequestTimeout: true,
    httpsAgent: { keepAlive: true, timeout: idleMs },
    httpAgent: { keepAlive: true, timeout: idleMs },
  },
});
