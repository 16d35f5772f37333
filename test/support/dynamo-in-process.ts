/** dynalite without its socket: half of what a call of a local table costs is HTTP and the signature. */
import { EventEmitter } from "node:events";
import type { Server } from "node:http";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";

/** What the SDK hands to its request handler, and what it takes from it. */
interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}
interface Answered {
  readonly response: {
    readonly statusCode: number;
    readonly headers: Record<string, string>;
    readonly body: Uint8Array;
  };
}

/** Dynalite looks for one, and does not check it. */
const SIGNATURE =
  "AWS4-HMAC-SHA256 Credential=local/20261123/local/dynamodb/aws4_request, SignedHeaders=host, Signature=none";

function answerOf(server: Server, { method, path, headers, body }: Asked): Promise<Answered> {
  return new Promise((resolve) => {
    const request = Object.assign(new EventEmitter(), {
      method,
      url: path,
      headers: { ...headers, authorization: SIGNATURE, "x-amz-date": "20261123T100000Z" },
    });
    const sent: Record<string, string> = {};
    const response = {
      statusCode: 200,
      setHeader(name: string, value: unknown) {
        sent[name.toLowerCase()] = String(value);
      },
      end(text = "") {
        resolve({ response: { statusCode: this.statusCode, headers: sent, body: Buffer.from(text) } });
      },
    };
    server.emit("request", request, response);
    request.emit("data", Buffer.from(body.buffer, body.byteOffset, body.byteLength));
    request.emit("end");
  });
}

/** Lets the client call the server's handler itself. */
export function callInProcess(
  { config }: { readonly config: DynamoDBClient["config"] },
  server: Server,
): void {
  config.requestHandler.destroy?.();
  config.signer = async () => ({ sign: async (request: never) => request });
  config.requestHandler.handle = (request) => answerOf(server, request as Asked) as never;
}
