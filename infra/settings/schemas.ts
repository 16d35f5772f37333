/** What schemas of settings are made of, and the variables that settings become. */
import { z } from "zod";
import type { Choice, Variable, WholeNumber } from "../../shared/config/variable.ts";

/** An address of these schemes (`https?|libsql`) without a user, a password or a query. */
export const address = (schemes: string, example: string) =>
  z.string().regex(new RegExp(`^(${schemes})://[^\\s/?#@]+(/[^\\s?#@]*)?$`), {
    error: `give an address like ${example}, without a user, a password or a query: tokens belong into the secret`,
  });
/** A whole number in a range. @param what says what to give */
export const wholeNumber = (least: number, most: number, what: string) => {
  const error = `give ${what}, a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};
/** A text of that form. @param fix says what to give */
export const matching = (pattern: RegExp, fix: string) =>
  z.string({ error: fix }).regex(pattern, { error: fix });
/** One of these words. */
export const oneOf = <const T extends readonly string[]>(names: T) =>
  z.enum(names, { error: `give one of ${names.join(", ")}` });
/** What leaves a source out on purpose. */
export const none = z.literal("none");
/** The schema, or "none". The union's own message does not say what to give: `fix` does. */
export const orNone = <T extends z.ZodType>(schema: T, fix: string) =>
  z.union([none, schema], { error: `${fix}, or "none" to leave it out on purpose` });

/** The variable that a setting becomes, by the setting's schema. */
export const WRITTEN = z.registry<{ readonly variable: string; text(value: unknown): string | undefined }>();

/** Registers the variable that a setting becomes. @param settingToValue converts the setting to the variable's value */
export function writes<T, S extends z.ZodType>(
  variable: Variable<T>,
  schema: S,
  settingToValue: (setting: z.output<S>) => T = (setting) => setting as T,
): S {
  WRITTEN.add(schema, {
    variable: variable.name,
    text: (setting) => variable.format(settingToValue(setting as z.output<S>)),
  });
  return schema;
}

/** The setting that becomes that variable, in its range. */
export const numberOf = (variable: WholeNumber, what: string, fallback = variable.fallback) =>
  writes(variable, wholeNumber(...variable.range, what).default(fallback));
/** As `numberOf`, for true and false. */
export const flagOf = (variable: Variable<boolean>) =>
  writes(variable, z.boolean({ error: "give true or false" }).default(variable.fallback));
/** As `numberOf`, for a choice of words. */
export const choiceOf = <T extends string>(variable: Choice<T>) =>
  writes(variable, oneOf(variable.names).default(variable.fallback as never));
