/** As much of Docker's API as R-01 uses, for more containers than a machine can run. It answers at once. */
import { once } from "node:events";
import { createServer } from "node:http";

/** What `ps -eo stat,pid,comm` prints in an agent's container. */
const PS = [
  "STAT     PID COMMAND",
  ...Array.from({ length: 12 }, (_, i) => `Ss    ${String(i + 1).padStart(6)} node`),
];

/** Docker's frame around what a process writes: the stream's number, three zeros, the length. */
function frame(text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = 1;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

/**
 * @param socketPath where it listens
 * @param containers how many it has
 */
export async function startDockerStub(
  socketPath: string,
  containers: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const list = Array.from({ length: containers }, (_, i) => ({
    Id: i.toString(16).padStart(64, "0"),
    Names: [`/agent-agent-${String(i).padStart(5, "0")}`],
  }));
  const output = frame(`${PS.join("\n")}\n`);
  const server = createServer((request, response) => {
    request.resume();
    const path = request.url ?? "";
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (path.startsWith("/containers/json")) return json(200, list);
    if (/^\/containers\/\w+\/exec$/.test(path)) return json(201, { Id: "e".repeat(64) });
    if (/^\/exec\/\w+\/start/.test(path))
      return response.writeHead(200, { "content-type": "application/vnd.docker.raw-stream" }).end(output);
    if (/^\/exec\/\w+\/json$/.test(path)) return json(200, { ExitCode: 0, Running: false });
    return json(404, { message: `no such path: ${path}` });
  });
  server.listen(socketPath);
  await once(server, "listening");
  return {
    url: `unix://${socketPath}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
