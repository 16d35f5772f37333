/** The forms of a viewer's actions, each with the equivalent command. They work without JavaScript. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { INVARIANTS } from "../../invariants/index.ts";
import { formatInstant, HOUR_MS, parseDuration } from "../../time.ts";
import { Command } from "./command.tsx";
import { useMayChange, useNow } from "./context.ts";
import { FormToken } from "./form-token.tsx";

/** The choice that has a silence end by itself. */
export const RECOVERS = "recovers";

/** The lengths of a silence in the form. */
const LENGTHS = {
  [RECOVERS]: "until it recovers",
  "30m": "30 minutes",
  "2h": "2 hours",
  "8h": "8 hours",
  "1d": "1 day",
  "3d": "3 days",
  "7d": "7 days",
} as const;

/** Gets the length in ms. Null if the form does not offer it, or if it ends by itself. */
export const lengthOf = (text: string): number | null =>
  Object.hasOwn(LENGTHS, text) ? parseDuration(text, "mhd") : null;

export const NO_INPUT = { invariant: "", subject: "", length: "2h", until: "", reason: "" };
/** The fields of a silence's form as typed. */
export type SilenceInput = Readonly<typeof NO_INPUT>;

/** @param back the page to return to */
export const CycleForm = ({ back }: { back: string }) =>
  useMayChange() ? <CycleAction back={back} /> : null;

const CycleAction = ({ back }: { back: string }) => (
  <form method="post" action="/run-cycle" class="act" data-progress="Running">
    <FormToken />
    <input type="hidden" name="back" value={back} />
    <button type="submit">Run a cycle</button>
  </form>
);
/** The same from a shell. It stands at another place of the page, where it moves nothing red out of sight. */
export const CYCLE_COMMAND = {
  name: "Run a cycle: from a shell",
  method: "POST",
  path: "/api/canary/run-cycle",
} as const;

interface EndProps {
  readonly id: string;
  readonly back: string;
}

export const EndSilence = (props: EndProps) => (useMayChange() ? <EndAction {...props} /> : null);

const EndAction = ({ id, back }: EndProps) => (
  <form method="post" action="/silences/end" class="inline">
    <FormToken />
    <input type="hidden" name="id" value={id} />
    <input type="hidden" name="back" value={back} />
    <button type="submit" class="quiet">
      End <span class="unseen">silence {id}</span>
    </button>
    <Command name="from a shell" method="DELETE" path={`/api/canary/silences/${id}`} />
  </form>
);

interface SilenceFormProps {
  readonly back: string;
  readonly input: SilenceInput;
  /** Whether the invariant is given, and can't be chosen. */
  readonly isFixed?: boolean;
  /** Suggestions for the subject. */
  readonly subjects: readonly string[];
  /** Whether it is unfolded: it was asked for, or comes back with what was typed. */
  readonly isOpen: boolean;
}

function SilenceFields({ input, isFixed, subjects }: Omit<SilenceFormProps, "back" | "isOpen">) {
  const { invariant, subject, length, until, reason } = input;
  return (
    <>
      {isFixed ? (
        <input type="hidden" name="invariant" value={invariant} />
      ) : (
        <label>
          Invariant
          <select name="invariant" required>
            {INVARIANTS.map(({ id, title }) => (
              <option value={id} selected={id === invariant}>
                {id} {title}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        <span>
          Subject <small>empty for all of it</small>
        </span>
        <input name="subject" value={subject} maxlength={200} dir="auto" autocomplete="off" list="subjects" />
      </label>
      {subjects.length > 0 && (
        <datalist id="subjects">
          {subjects.map((name) => (
            <option value={name} />
          ))}
        </datalist>
      )}
      <label>
        For
        <select name="length">
          {Object.entries(LENGTHS).map(([value, words]) => (
            <option value={value} selected={value === length}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>
          Or until <small>UTC</small>
        </span>
        <input name="until" type="datetime-local" value={until} />
      </label>
      <label class="wide">
        Reason
        <input name="reason" value={reason} required maxlength={200} dir="auto" autocomplete="off" />
      </label>
    </>
  );
}

/** The form behind its button. */
export const SilenceForm = (props: SilenceFormProps) =>
  useMayChange() ? <SilenceAction {...props} /> : null;

function SilenceAction({ back, isOpen, ...fields }: SilenceFormProps) {
  const { invariant, subject, length, reason } = fields.input;
  const body = {
    invariant_id: invariant || INVARIANTS[0]!.id,
    ...(subject && { subject }),
    ...(length === RECOVERS
      ? { until_recovered: true }
      : { until: formatInstant(useNow() + (lengthOf(length) ?? HOUR_MS)) }),
    reason: reason || "why",
  };
  return (
    <details id="silence" open={isOpen}>
      <summary class="quiet">New silence</summary>
      <p class="dim">There is no alert until then. It is still checked, shown and recorded.</p>
      <form method="post" action="/silences" class="fields">
        <FormToken />
        <input type="hidden" name="back" value={back} />
        <SilenceFields {...fields} />
        <button type="submit">Silence</button>
      </form>
      <Command name="from a shell" method="POST" path="/api/canary/silences" body={body} />
    </details>
  );
}
