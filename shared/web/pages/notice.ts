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
  ended: () => success("The silence has ended. What is still red makes an alert with the next cycle."),
  gone: () => problem("That silence had already ended."),
};

/** Reads the notice from the address. Only the texts above can be shown: a link can't bring its own text. */
export function noticeIn(query: Query): PageNotice | null {
  const code = query("said") ?? "";
  return Object.hasOwn(NOTICES, code) ? NOTICES[code]!(query) : null;
}
