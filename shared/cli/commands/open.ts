/** `canary open`: the page in a browser. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { hasScreen, searchPath } from "../../config/terminal.ts";
import { printable } from "../../text.ts";
import { type AddCommands, type CommandContext, EXIT } from "../command.ts";
import { UsageError } from "../errors.ts";

/** Finds the path of a page. What is nothing else is an agent, whatever its name is like. */
async function pathOf(what: string | undefined): Promise<string> {
  if (what === undefined) return "/";
  const { INVARIANT_IDS } = await import("../../invariants/index.ts");
  const id = INVARIANT_IDS.find((one) => one === what.trim().toUpperCase());
  if (id !== undefined) return `/invariants/${id}`;
  if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/i.test(what)) return `/cycles/${encodeURIComponent(what.toUpperCase())}`;
  if (/^(agents|cycles)$/i.test(what)) return `/${what.toLowerCase()}`;
  const { meantId } = await import("../ids.ts");
  const meant = meantId(what);
  if (meant !== null)
    console.error(printable(`the page of an agent called ${what}: for the invariant, open ${meant}`));
  return `/agents/${encodeURIComponent(what)}`;
}

/** Finds the program that opens an address in a browser; null where there is none, or no screen. */
export function browserOpener(platform: NodeJS.Platform, path: string, isOnScreen: boolean): string | null {
  if (!isOnScreen && platform !== "darwin") return null;
  const name = platform === "darwin" ? "open" : "xdg-open";
  const found = path.split(delimiter).map((folder) => join(folder, name));
  return found.find((file) => isExecutable(file)) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function open({ remote, print, done }: CommandContext, what: string | undefined): Promise<void> {
  const canary = remote();
  if (canary === null)
    throw new UsageError(
      "there is no canary whose page could be opened: give --env, or set CANARY_URL and CANARY_TOKEN",
    );
  const address = canary.url + (await pathOf(what));
  print(address);
  if ("region" in canary.auth)
    console.error("this canary asks for AWS signatures, which a browser can't make");
  // In a pipe, the address is what is wanted.
  const opener = process.stdout.isTTY ? browserOpener(process.platform, searchPath(), hasScreen()) : null;
  if (opener !== null) {
    const { spawn } = await import("node:child_process");
    spawn(opener, [address], { stdio: "ignore", detached: true })
      .on("error", () => {})
      .unref();
  }
  done(EXIT.green);
}

export const addOpenCommand: AddCommands = (canary, context) => {
  canary
    .command("open")
    .description(
      "print the address of a page, and open it where there is a browser; in a pipe it only prints",
    )
    .argument(
      "[what]",
      "an invariant, an agent, the time of a cycle, agents or cycles (default: the overview)",
    )
    .action((what: string | undefined) => open(context, what));
};
