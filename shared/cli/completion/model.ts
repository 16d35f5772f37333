/** What a shell completes: every command with its options and what these take. */
import type { Argument, Command, Option } from "commander";
import { INVARIANT_IDS } from "../../invariants/index.ts";

/** What can stand in a place. `environments` are in the file of profiles, which changes: the shell asks for them. */
export type Values =
  | { readonly kind: "words" | "ids"; readonly words: readonly string[] }
  | { readonly kind: "environments" }
  | null;

export interface CompletedOption {
  /** `--json`, `-v`. */
  readonly names: readonly string[];
  readonly meaning: string;
  readonly takesValue: boolean;
  readonly values: Values;
}

export interface CompletedCommand {
  /** The words that lead to it, each after a space; empty for `canary` itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly meaning: string }[];
  readonly options: readonly CompletedOption[];
  /** What its first argument can be. */
  readonly argument: Values;
}

/** Finds what a placeholder stands for, by its name: `<invariant>`. */
function valuesOf(placeholder: string, choices: readonly string[] | undefined): Values {
  if (choices) return { kind: "words", words: choices };
  if (/^invariants?$/.test(placeholder)) return { kind: "ids", words: INVARIANT_IDS };
  return placeholder === "environment" ? { kind: "environments" } : null;
}

const placeholderOf = ({ flags }: Option): string => /[<[]([\w-]+)/.exec(flags)?.[1] ?? "";

const toOption = (option: Option): CompletedOption => ({
  names: [option.long, option.short].filter((name) => name != null),
  meaning: option.description,
  takesValue: option.required || option.optional,
  values: valuesOf(placeholderOf(option), option.argChoices),
});

const toValues = (argument: Argument | undefined): Values =>
  argument === undefined ? null : valuesOf(argument.name(), argument.argChoices);

const isShown = (option: Option) => !option.hidden;

/** Lists the commands, `canary` itself first. The options of `canary` are those of each. */
export function completedCommands(canary: Command): CompletedCommand[] {
  const help = canary.createHelp();
  const own = canary.options.filter(isShown).map(toOption);
  // The version is of `canary` only.
  const common = own.filter(({ names }) => !names.includes("--version"));
  const helpOption = { names: ["--help", "-h"], meaning: "what it does", takesValue: false, values: null };
  const commandsOf = (command: Command, path: string): CompletedCommand[] => {
    // commander's own `help` and what is hidden are not offered.
    const next = help.visibleCommands(command).filter((one) => one.name() !== "help");
    const options = command === canary ? own : [...command.options.filter(isShown).map(toOption), ...common];
    return [
      {
        path,
        commands: next.map((one) => ({ name: one.name(), meaning: one.summary() || one.description() })),
        options: [...options, helpOption],
        argument: toValues(command.registeredArguments[0]),
      },
      ...next.flatMap((one) => commandsOf(one, `${path} ${one.name()}`)),
    ];
  };
  return commandsOf(canary, "");
}

/** The names of all options that take a value: the word after them is no command. */
export const valueOptions = (commands: readonly CompletedCommand[]): string[] => [
  ...new Set(
    commands.flatMap(({ options }) =>
      options.filter(({ takesValue }) => takesValue).flatMap(({ names }) => names),
    ),
  ),
];

/** The options that take a value, by what can stand there; each once. */
export function optionValues(commands: readonly CompletedCommand[]): Map<string, Values> {
  const all = commands.flatMap(({ options }) => options).filter(({ takesValue }) => takesValue);
  return new Map(all.flatMap(({ names, values }) => names.map((name) => [name, values] as const)));
}
