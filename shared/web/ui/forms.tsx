/** What a viewer can do. Each is a form that works without JavaScript, with the command that does the same. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { INVARIANTS } from "../../invariants/index.ts";
import { formatInstant, HOUR_MS, parseDuration } from "../../time.ts";
import { FormToken, type Viewer } from "./layout.tsx";
import { Command } from "./parts.tsx";
import { curl } from "./texts.ts";

/** The lengths of a silence that the form offers. */
const LENGTHS = {
  "30m": "30 minutes",
  "2h": "2 hours",
  "8h": "8 hours",
  "1d": "1 day",
  "3d": "3 days",
  "7d": "7 days",
} as const;

/** The length in ms, null for one that is not offered. */
export const lengthOf = (text: string): number | null =>
  Object.hasOwn(LENGTHS, text) ? parseDuration(text, "mhd") : null;

/** The fields of a silence's form, as they were typed. */
export interface SilenceInput {
  readonly invariant: string;
  readonly subject: string;
  readonly length: string;
  readonly until: string;
  readonly reason: string;
}

export const NO_INPUT: SilenceInput = { invariant: "", subject: "", length: "2h", until: "", reason: "" };

/** @param back the page to come back to */
export const CycleForm = ({ viewer, back }: { viewer: Viewer; back: string }) => (
  <div class="act">
    <form method="post" action="/run-cycle" data-progress="Running">
      <FormToken viewer={viewer} />
      <input type="hidden" name="back" value={back} />
      <button type="submit">Run a cycle</button>
    </form>
    <Command name="from a shell" text={curl(viewer, "POST", "/api/canary/run-cycle")} />
  </div>
);

export const EndSilence = ({ viewer, id, back }: { viewer: Viewer; id: string; back: string }) => (
  <form method="post" action="/silences/end" class="inline">
    <FormToken viewer={viewer} />
    <input type="hidden" name="id" value={id} />
    <input type="hidden" name="back" value={back} />
    <button type="submit" class="quiet">
      End <span class="unseen">silence {id}</span>
    </button>
    <Command name="from a shell" text={curl(viewer, "DELETE", `/api/canary/silences/${id}`)} />
  </form>
);

interface SilenceFormProps {
  readonly viewer: Viewer;
  readonly back: string;
  readonly input: SilenceInput;
  /** Whether the invariant is that of the input, and can't be chosen. */
  readonly isFixed?: boolean;
  /** Suggested while the subject is typed. */
  readonly subjects: readonly string[];
  readonly nowMs: number;
}

type SilenceFieldsProps = Pick<SilenceFormProps, "input" | "isFixed" | "subjects">;

function SilenceFields({ input, isFixed, subjects }: SilenceFieldsProps) {
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

export function SilenceForm({ viewer, back, input, isFixed = false, subjects, nowMs }: SilenceFormProps) {
  const { invariant, subject, length, reason } = input;
  const body = {
    invariant_id: invariant || INVARIANTS[0]!.id,
    ...(subject && { subject }),
    until: formatInstant(nowMs + (lengthOf(length) ?? HOUR_MS)),
    reason: reason || "why",
  };
  return (
    <section id="silence">
      <h2>Silence</h2>
      <p class="dim">Nobody is told of it until then. It is still checked, shown and recorded.</p>
      <form method="post" action="/silences" class="fields">
        <FormToken viewer={viewer} />
        <input type="hidden" name="back" value={back} />
        <SilenceFields input={input} isFixed={isFixed} subjects={subjects} />
        <button type="submit">Silence</button>
      </form>
      <Command name="from a shell" text={curl(viewer, "POST", "/api/canary/silences", body)} />
    </section>
  );
}
