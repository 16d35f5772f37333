/** The function URL's way in: the Hono app behind AWS Lambda. */
import { handle } from "hono/aws-lambda";
import { createApp } from "../shared/api/app.ts";
import { loadAdminToken } from "../shared/config.ts";
import { deployedCanary } from "../shared/deployed.ts";

/** Made by the first event and kept while the function is warm; a configuration that can't be used is tried again. */
let handleEvent: ReturnType<typeof handle> | undefined;

function makeHandler() {
  const canary = deployedCanary();
  return handle(createApp({ canary, adminToken: loadAdminToken(), logError: (line) => console.error(line) }));
}

/** Answers one HTTP request. */
export async function handler(...args: Parameters<ReturnType<typeof handle>>): Promise<unknown> {
  handleEvent ??= makeHandler();
  return handleEvent(...args);
}
