/** What came of a form, in the address that its answer redirects to. */
import type { Said } from "../ui/parts.tsx";

type Query = (parameter: string) => string | undefined;

const numberIn = (query: Query, parameter: string) =>
  Number(/^\d{1,6}$/.exec(query(parameter) ?? "")?.[0] ?? 0);

const TEXTS: Readonly<Record<string, (query: Query) => Said>> = {
  ran: (query) => ({
    text: `The cycle is done: ${numberIn(query, "red")} red, ${numberIn(query, "unknown")} unknown.`,
    isProblem: false,
  }),
  busy: (query) => ({
    text: `Another cycle is in progress. Nothing was started; try again in ${numberIn(query, "wait")} s.`,
    isProblem: true,
  }),
  silenced: () => ({ text: "It is silenced: nobody is told of it until then.", isProblem: false }),
  ended: () => ({
    text: "The silence has ended. What is red then is told with the next cycle.",
    isProblem: false,
  }),
  gone: () => ({ text: "There was no such silence any more.", isProblem: true }),
};

/** Reads it. Only the texts above can be shown: nobody can write another one into a link. */
export function saidIn(query: Query): Said | null {
  const said = query("said") ?? "";
  return Object.hasOwn(TEXTS, said) ? TEXTS[said]!(query) : null;
}
