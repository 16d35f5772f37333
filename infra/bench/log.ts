/** What a process writes to its standard output: for a function that is its log, with its metrics in it. */

/** A line of metrics, in CloudWatch's embedded format. */
interface EmbeddedMetrics {
  readonly _aws?: {
    readonly CloudWatchMetrics: readonly {
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string }[];
    }[];
  };
  readonly [dimension: string]: unknown;
}

/** Names each metric of a line with its dimensions: CloudWatch bills each combination. */
export function metricsIn(line: string): string[] {
  if (!line.startsWith("{")) return [];
  const values = JSON.parse(line) as EmbeddedMetrics;
  return (values._aws?.CloudWatchMetrics ?? []).flatMap(({ Dimensions, Metrics }) =>
    Metrics.flatMap(({ Name }) => Dimensions.map((names) => [Name, ...names.map((n) => values[n])].join())),
  );
}

/** Keeps what is written to the standard output from now on, in place of writing it. */
export function captureLog() {
  let text = "";
  process.stdout.write = (chunk: string | Uint8Array) => {
    text += chunk;
    return true;
  };
  return {
    reset() {
      text = "";
    },
    counts: () => ({
      logBytes: Buffer.byteLength(text),
      metrics: new Set(text.split("\n").flatMap(metricsIn)).size,
    }),
  };
}
