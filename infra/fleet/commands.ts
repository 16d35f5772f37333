/** `canary fleet …`: deploy, status and remove. */
import type { Command } from "commander";
import { loadPlatform } from "../../shared/config/platform.ts";
import type { Trinity } from "./trinity-api.ts";

const STATUS_EXIT = { same: 0, differs: 1, unread: 2 } as const;

const print = (line: string) => process.stdout.write(`${line}\n`);

/** @throws ConfigError */
async function connect({ platform }: { platform?: string }): Promise<Trinity> {
  const { trinityApi } = await import("./trinity-api.ts");
  const api = trinityApi(loadPlatform(platform));
  print(`the fleet on ${api.url}`);
  return api;
}

/**
 * Adds the three commands.
 * @param done gets the exit code: 0 as it should be, 1 not, 2 can't be read (status)
 */
export function addFleetCommands(canary: Command, done: (code: number) => void): void {
  const fleet = canary
    .command("fleet")
    .description("the load that gives the canary something to watch, on the platform of PLATFORM_URL");
  const platform = ["--platform <url>", "Trinity's address (default: PLATFORM_URL)"] as const;
  fleet
    .command("deploy")
    .description("make its agents and set what a manifest can't express; what is there already is left alone")
    .option(...platform)
    .option("--dry-run", "say what would be done, and write nothing")
    .action(async ({ dryRun = false, ...options }) => {
      const [{ deployFleet }, { loadFleet }] = await Promise.all([
        import("./deploy.ts"),
        import("./fleet.ts"),
      ]);
      const good = await deployFleet({ api: await connect(options), fleet: loadFleet(), dryRun, print });
      done(good ? 0 : 1);
    });
  fleet
    .command("status")
    .description("what is there, against what should be: exits 0 same, 1 differs, 2 can't be read")
    .option(...platform)
    .action(async (options) => {
      const [{ showFleet }, { loadFleet }] = await Promise.all([import("./status.ts"), import("./fleet.ts")]);
      done(STATUS_EXIT[await showFleet(await connect(options), loadFleet(), print)]);
    });
  fleet
    .command("remove")
    .description("delete its agents, and no others")
    .option(...platform)
    .option("--yes", "yes, delete them")
    .action(async ({ yes, ...options }, command: Command) => {
      const [{ removeFleet }, { loadFleet }] = await Promise.all([
        import("./remove.ts"),
        import("./fleet.ts"),
      ]);
      const wanted = loadFleet();
      const names = wanted.agents.map(({ name }) => name).join(" and ");
      if (!yes) command.error(`this deletes ${names} with what they did: add --yes`);
      done((await removeFleet(await connect(options), wanted, print)) ? 0 : 1);
    });
}
