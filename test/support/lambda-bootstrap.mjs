// @ts-check
// Acts as Lambda's Node.js runtime client: a process that loads the handler from LAMBDA_TASK_ROOT, asks the
// runtime API for events and posts the handler's results. It imports only Node's own modules.
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT = "", _HANDLER = "" } = process.env;
const api = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;

/** @param {string} path @param {unknown} body @param {Record<string, string>} [headers] */
async function post(path, body, headers = {}) {
  const answer = await fetch(`${api}/${path}`, {
    method: "POST",
    body: JSON.stringify(body ?? null),
    headers,
  });
  if (!answer.ok) throw new Error(`the runtime API answered HTTP ${answer.status}`);
}

/** Reports an error to the caller and to the log, as Lambda does. @param {string} path @param {unknown} thrown */
async function postError(path, thrown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack = "" } = error;
  const report = { errorType: name, errorMessage: message, trace: stack.split("\n") };
  console.error("Invoke Error", JSON.stringify({ ...report, ...error }));
  await post(path, report, { "lambda-runtime-function-error-type": name });
}

async function loadHandler() {
  const [file, name = ""] = _HANDLER.split(".");
  const module = await import(pathToFileURL(join(LAMBDA_TASK_ROOT, `${file}.mjs`)).href);
  const handler = module[name];
  if (typeof handler !== "function") throw new Error(`${_HANDLER} is undefined or not exported`);
  // Lambda with Node 24 supports no callbacks.
  if (handler.length >= 3) throw new Error(`${_HANDLER} takes a callback, which the runtime does not know`);
  return handler;
}

/** @param {Headers} headers of the event */
function contextOf(headers) {
  const deadlineMs = Number(headers.get("lambda-runtime-deadline-ms"));
  return {
    awsRequestId: headers.get("lambda-runtime-aws-request-id") ?? "",
    invokedFunctionArn: headers.get("lambda-runtime-invoked-function-arn"),
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => deadlineMs - Date.now(),
  };
}

const handler = await loadHandler().catch(async (error) => {
  await postError("init/error", error);
  process.exit(1);
});

for (;;) {
  const next = await fetch(`${api}/invocation/next`);
  const event = await next.json();
  process.env._X_AMZN_TRACE_ID = next.headers.get("lambda-runtime-trace-id") ?? "";
  const context = contextOf(next.headers);
  const invocation = `invocation/${context.awsRequestId}`;
  try {
    await post(`${invocation}/response`, await handler(event, context));
  } catch (error) {
    await postError(`${invocation}/error`, error);
  }
  // Node would write it at the end of the process, but that is killed. Does nothing without NODE_COMPILE_CACHE.
  flushCompileCache();
}
