/** Readers that are functions of AWS Lambda. */
import type { LambdaFunction } from "../../config/lambda-function.ts";
import { SourceError } from "../../errors.ts";
import { jsonOf } from "../../http.ts";
import { lambdaCaller } from "../../lambda.ts";
import { type CallReader, readerError } from "./reader-call.ts";

/** Makes what calls this function. */
export function lambdaReader(readerFunction: LambdaFunction): CallReader {
  const call = lambdaCaller(readerFunction);
  return {
    async call(event, signal) {
      const answer = await call(event, signal);
      if (answer.status === 429)
        throw new SourceError("it was not started: Lambda runs as many functions as it may");
      if (answer.status !== 200) throw new SourceError(`Lambda answered HTTP ${answer.status}`);
      const body = jsonOf(answer);
      if (answer.headers["x-amz-function-error"] !== undefined) throw readerError(Object(body));
      return body;
    },
  };
}
