import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";

/** An app of Hono, or anything that answers requests like one. */
interface App {
  fetch(request: Request): Response | Promise<Response>;
}

/**
 * Serves an app on the loopback.
 * @param port 0 for a free one
 * @throws EADDRINUSE where the port is taken
 */
export async function serve(app: App, port: number): Promise<{ url: string; close(): Promise<void> }> {
  const server = createAdaptorServer({ fetch: app.fetch });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      if ("closeAllConnections" in server) server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
