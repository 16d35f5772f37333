/** Completion as a script for each shell. They hold all words but the environments: no TAB waits for Node, but that one. */
import { type CompletedCommand, optionValues, type Values, valueOptions } from "./model.ts";

/** The command that lists the environments, after the name of the program. */
const ENVIRONMENTS = "completion environments 2>/dev/null";

/** The shell's pattern for one of these texts. They have no special characters. */
const anyOf = (texts: readonly string[]): string => texts.map((text) => `"${text}"`).join("|");

/** What stands after a command: its commands, or what its argument can be. */
const wordsAfter = ({ commands, argument }: CompletedCommand): Values =>
  commands.length > 0 ? { kind: "words", words: commands.map(({ name }) => name) } : argument;

const optionsOf = ({ options }: CompletedCommand): string => options.flatMap(({ names }) => names).join(" ");

/** What bash and zsh have in common: find the command, then set `found` and whether case matters. */
function body(commands: readonly CompletedCommand[], word: (i: string) => string, program: string): string {
  const assign = (values: Values): string => {
    if (values === null) return "found=";
    if (values.kind === "environments") return `found=$(${program} ${ENVIRONMENTS})`;
    return `found="${values.words.join(" ")}"${values.kind === "ids" ? " ids=1" : ""}`;
  };
  const paths = commands.map(({ path }) => path).filter((path) => path !== "");
  const values = [...optionValues(commands)].map(([name, value]) => `    ${name}) ${assign(value)} ;;`);
  const places = commands.map(
    (command) =>
      `      "${command.path}") case $cur in -*) found="${optionsOf(command)}" ;; *) ${assign(wordsAfter(command))} ;; esac ;;`,
  );
  return `  while [ $i -lt $last ]; do
    case ${word("i-1")} in
      ${valueOptions(commands).join("|")}) ;;
      *) case "$at ${word("i")}" in ${anyOf(paths)}) at="$at ${word("i")}" ;; esac ;;
    esac
    i=$((i + 1))
  done
  case $prev in
${values.join("\n")}
    *) case $at in
${places.join("\n")}
    esac ;;
  esac`;
}

/** For bash from 3.2 on. */
export function bashScript(commands: readonly CompletedCommand[]): string {
  return `# Completion of canary for bash: eval "$(canary completion bash)"
_canary() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local at= found= ids= before= i=1 last=$COMP_CWORD
  if [ "$cur" = = ]; then cur=; elif [ "$prev" = = ]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
${body(commands, (i) => `\${COMP_WORDS[${i}]}`, '"$COMP_WORDS"')}
  if [ -n "$ids" ]; then
    case $cur in *,*) before=\${cur%,*}, cur=\${cur##*,} ;; esac
    cur=$(printf %s "$cur" | tr '[:lower:]' '[:upper:]')
  fi
  COMPREPLY=($(compgen -P "$before" -W "$found" -- "$cur"))
}
complete -F _canary canary
`;
}

export function zshScript(commands: readonly CompletedCommand[]): string {
  return `#compdef canary
# Completion of canary for zsh: eval "$(canary completion zsh)", or as the file _canary in a folder of $fpath
_canary() {
  local cur=$words[CURRENT] prev=$words[CURRENT-1]
  local at= found= ids= i=2 last=$CURRENT
${body(commands, (i) => `$words[${i}]`, "$words[1]")}
  if [ -n "$ids" ]; then
    compset -P '*,'
    compadd -M 'm:{a-z}={A-Z}' -- \${=found}
  else
    compadd -- \${=found}
  fi
}
if [ "$funcstack[1]" = _canary ]; then _canary "$@"; else compdef _canary canary; fi
`;
}

/** Quotes a text for fish. */
const fishWord = (text: string): string => `'${text.replace(/[\\']/g, (character) => `\\${character}`)}'`;

function fishValues(values: Values): string {
  if (values === null) return "";
  return values.kind === "environments"
    ? ` -a '(canary ${ENVIRONMENTS})'`
    : ` -a ${fishWord(values.words.join(" "))}`;
}

export function fishScript(commands: readonly CompletedCommand[]): string {
  const paths = commands.map(({ path }) => path).filter((path) => path !== "");
  const lines = commands.flatMap(({ path, commands: next, options, argument }) => {
    const here = `complete -c canary -n ${fishWord(`__canary_at ${fishWord(path)}`)}`;
    return [
      ...next.map(({ name, meaning }) => `${here} -a ${name} -d ${fishWord(meaning)}`),
      ...(next.length === 0 && argument ? [here + fishValues(argument)] : []),
      ...options.map(({ names, meaning, takesValue, values }) => {
        const flags = names.map((name) =>
          name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
        );
        return `${here} ${flags.join(" ")}${takesValue ? " -x" : ""}${fishValues(values)} -d ${fishWord(meaning)}`;
      }),
    ];
  });
  return `# Completion of canary for fish: canary completion fish | source
function __canary_at
    set -l at ''
    set -l isValue 0
    for word in (commandline -opc)[2..-1]
        if test $isValue = 1
            set isValue 0
            continue
        end
        switch $word
            case ${valueOptions(commands).join(" ")}
                set isValue 1
                continue
        end
        switch "$at $word"
            case ${paths.map(fishWord).join(" ")}
                set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c canary -f
${lines.join("\n")}
`;
}
