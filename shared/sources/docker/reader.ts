/** What a reader does: it reads the daemons that it is called for, with the client certificate and nothing else. */
import { type Environment, reader } from "../../config/reader.ts";
import { redactor } from "../../config/redactor.ts";
import { CERTIFICATES, checkPair, dockerTls } from "./certificates.ts";
import { isAddress } from "./docker.ts";
import { type DaemonOutcome, readDaemons } from "./read.ts";
import { CallSchema } from "./reader-wire.ts";

/** Below what Lambda hands on. */
const MAX_ANSWER_BYTES = 5_500_000;
/** The longest deadline of a source. */
const LONGEST_MS = 60_000;

export interface ReaderAnswer {
  readonly daemons: readonly DaemonOutcome[];
}

/** The answer would not fit. Its name reaches the caller. */
class AnswerTooLong extends Error {
  override readonly name = "AnswerTooLong";
}

/** Takes the certificate out of what was said. */
const cleaned = (outcome: DaemonOutcome, redact: (line: string) => string): DaemonOutcome =>
  "unread" in outcome
    ? { ...outcome, unread: redact(outcome.unread) }
    : {
        ...outcome,
        unavailable: outcome.unavailable.map(({ agent, line }) => ({ agent, line: redact(line) })),
      };

/**
 * Answers a call.
 * @param event a `ReaderCall`
 * @param env the variables of the client certificate
 * @throws ConfigError where they can't be used; an Error for anything else than a call, and for an answer that is too long
 */
export async function answerReader(event: unknown, env: Environment): Promise<ReaderAnswer> {
  const call = CallSchema.safeParse(event);
  if (!call.success || !call.data.read_docker.hosts.every(isAddress))
    throw new Error("this is not the call of a reader of Docker daemons");
  const { hosts, wanted, unfinished, answer_by } = call.data.read_docker;
  const read = reader(env);
  const values = read.values(CERTIFICATES);
  checkPair(values, read.problem);
  read.end();
  const deadlineMs = Math.min(LONGEST_MS, answer_by - Date.now());
  if (deadlineMs < 1) throw new Error("the call came when its answer was due");
  const daemons = await readDaemons({
    hosts: [...new Set(hosts)],
    tls: dockerTls(values),
    wanted: new Set(wanted),
    unfinished,
    deadlineMs,
    signal: AbortSignal.timeout(deadlineMs),
  });
  const redact = redactor(read.secrets);
  const answer = { daemons: daemons.map((outcome) => cleaned(outcome, redact)) };
  const bytes = Buffer.byteLength(JSON.stringify(answer));
  if (bytes > MAX_ANSWER_BYTES) throw new AnswerTooLong(`the answer has ${bytes} bytes`);
  return answer;
}
