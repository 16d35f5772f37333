/** `canary fleet …`: deploy, status and remove. */
import type { Command } from "commander";
import type { AddCommands, CommandContext } from "../../shared/cli/command.ts";
import { progressOn } from "../../shared/cli/progress.ts";
import { findPlatform } from "../../shared/cli/remote.ts";
import type { Trinity } from "./trinity-api.ts";

const STATUS_EXIT = { same: 0, differs: 1, unread: 2 } as const;

/** Runs a command on the platform, and shows meanwhile that it is at work. @throws ConfigError */
async function onPlatform<T>(
  { env, print }: CommandContext,
  run: (api: Trinity, print: (line: string) => void) => Promise<T>,
): Promise<T> {
  const { trinityApi } = await import("./trinity-api.ts");
  const api = trinityApi(await findPlatform(env()));
  const progress = progressOn(process.stderr);
  const work = "asking the platform";
  const printBeside = (line: string) => {
    progress.clear();
    print(line);
    progress.say(work);
  };
  printBeside(`the fleet on ${api.url}`);
  try {
    return await run(api, printBeside);
  } finally {
    progress.clear();
  }
}

/** Adds the three commands. Their exit code is 0 as it should be, 1 not, 2 can't be read (status). */
export const addFleetCommands: AddCommands = (canary, context) => {
  const { done } = context;
  const fleet = canary
    .command("fleet")
    .description(
      "the load that gives the canary something to watch, on the platform of --env or PLATFORM_URL",
    );
  fleet
    .command("deploy")
    .description("make its agents and set what a manifest can't express; what is there already is left alone")
    .option("--dry-run", "say what would be done, and write nothing")
    .action(async ({ dryRun = false }) => {
      const [{ deployFleet }, { loadFleet }] = await Promise.all([
        import("./deploy.ts"),
        import("./fleet.ts"),
      ]);
      const fleet = loadFleet();
      const good = await onPlatform(context, (api, print) => deployFleet({ api, fleet, dryRun, print }));
      done(good ? 0 : 1);
    });
  fleet
    .command("status")
    .description("what is there, against what should be: exits 0 same, 1 differs, 2 can't be read")
    .action(async () => {
      const [{ showFleet }, { loadFleet }] = await Promise.all([import("./status.ts"), import("./fleet.ts")]);
      const fleet = loadFleet();
      done(STATUS_EXIT[await onPlatform(context, (api, print) => showFleet(api, fleet, print))]);
    });
  fleet
    .command("remove")
    .description("delete its agents, and no others")
    .option("--yes", "yes, delete them")
    .action(async ({ yes }, command: Command) => {
      const [{ removeFleet }, { loadFleet }] = await Promise.all([
        import("./remove.ts"),
        import("./fleet.ts"),
      ]);
      const wanted = loadFleet();
      const names = wanted.agents.map(({ name }) => name).join(" and ");
      if (!yes) command.error(`this deletes ${names} with what they did: add --yes`);
      const gone = await onPlatform(context, (api, print) => removeFleet(api, wanted, print));
      done(gone ? 0 : 1);
    });
};
