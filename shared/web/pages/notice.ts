/** The outcome of a form, as a code in the address that its answer redirects to. */
import type { PageNotice } from "../ui/parts.tsx";

type Query = (parameter: string) => string | undefined;

const success = (text: string): PageNotice => ({ text, isProblem: false });
const problem = (text: string): PageNotice => ({ text, isProblem: true });
const numberIn = (query: Query, parameter: string) =>
  Number(/^\d{1,6}$/.exec(query(parameter) ?? "")?.[0] ?? 0);

const NOTICES: Readonly<Record<string, (query: Query) => PageNotice>> = {
  ran: () => ({ text: "The cycle is done", isProblem: false, withHealth: true }),
  busy: (query) =>
    problem(`Another cycle is in progress. Nothing was started; try again in ${numberIn(query, "wait")} s.`),
  silenced: () => success("It is silenced: there is no alert until then."),
  "silenced-unchecked": () =>
    success(
      "It is silenced: there is no alert until then. The roster or the state could not be seen whole: look at the name once more.",
    ),
  ended: (query) => ({
    ...success("The silence has ended. What is still red makes an alert with the next cycle."),
    undo: /^[\w-]{1,6000}\.[\w-]{1,100}$/.exec(query("undo") ?? "")?.[0],
  }),
  restored: () => success("The silence is back, as it was."),
  over: () => problem("There is nothing to restore: its time is over."),
  recovered: () => problem("There is nothing to restore: what it covered has recovered."),
  full: () => problem("There is no room for it: end another silence first."),
  gone: () => problem("That silence had already ended."),
};

/** Reads the notice from the address. Only the texts above can be shown: a link can't bring its own text. */
export function noticeIn(query: Query): PageNotice | null {
  const code = query("said") ?? "";
  return Object.hasOwn(NOTICES, code) ? NOTICES[code]!(query) : null;
}
