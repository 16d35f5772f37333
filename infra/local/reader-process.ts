/** A reader of Docker daemons in a process of its own: the handler of the function, with calls over IPC. */
import { handler } from "../../functions/reader.ts";

process.on("message", async (event) => {
  try {
    process.send?.({ result: await handler(event) });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    process.send?.({ error: { errorType: name, errorMessage: message } });
  }
});
// Whoever called has ended.
process.on("disconnect", () => process.exit());
