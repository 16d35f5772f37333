/** `canary completion`: the script for a shell. */
import { Argument } from "commander";
import { type AddCommands, EXIT } from "../command.ts";
import { UsageError } from "../errors.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** Names that a shell can take as words without quotes. */
const PLAIN = /^[\w.-]+$/;

export const addCompletionCommand: AddCommands = (canary, { print, done }) => {
  const completion = canary
    .command("completion")
    .description(
      'print the completion of commands, options and ids for a shell: eval "$(canary completion bash)"',
    )
    .addArgument(new Argument("[shell]", "the shell").choices(SHELLS))
    .action(async (shell?: Shell) => {
      if (shell === undefined)
        throw new UsageError(`name the shell, one of ${SHELLS.join(", ")}: canary completion ${SHELLS[0]}`);
      const [{ completedCommands }, { bashScript, zshScript, fishScript }] = await Promise.all([
        import("../completion/model.ts"),
        import("../completion/shells.ts"),
      ]);
      const write = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell];
      print(write(completedCommands(canary)).trimEnd());
      done(EXIT.green);
    });
  completion
    .command("environments", { hidden: true })
    .description("the names in the file of profiles")
    .action(async () => {
      const { profileNames } = await import("../../config/profiles.ts");
      const names = profileNames().filter((name) => PLAIN.test(name));
      if (names.length > 0) print(names.join("\n"));
      done(EXIT.green);
    });
};
