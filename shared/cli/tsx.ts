/**
 * Lets Node import .tsx files. Node 22.18 and later runs .ts files by itself, but not these; an older one runs neither,
 * so that tsx has been there from the start.
 */
export async function registerTsx(): Promise<void> {
  if (!("typescript" in process.features && process.features.typescript)) return;
  const { register } = await import("tsx/esm/api");
  register();
}
