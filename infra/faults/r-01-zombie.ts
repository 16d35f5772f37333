import { setTimeout as wait } from "node:timers/promises";
import { containerName } from "../platform/names.ts";
import type { Fault } from "./fault.ts";
import { present } from "./target.ts";
import type { TestAgent } from "./test-agent.ts";

/** Starts a claude that ends at once, under a parent that never waits for it. */
const FORK =
  "printf '#!/bin/sh\\n' >/tmp/claude && chmod +x /tmp/claude && { /tmp/claude & exec sleep 3600; }";
/** Uses shell built-ins only, since an image need not have ps or cat. It does not look as the canary does. */
const LOOK = 'for f in /proc/[0-9]*/stat; do read -r l <"$f" && echo "$l"; done 2>/dev/null';

const LOOKS = 30;
const LOOK_AGAIN_MS = 50;

const containerOf = ({ target, name }: TestAgent) =>
  present(target.docker).daemon.getContainer(containerName(name));

/** Counts the zombies named claude. */
async function zombies(agent: TestAgent): Promise<number> {
  // With a terminal the stream is not multiplexed: it is the text.
  const exec = await containerOf(agent).exec({ Cmd: ["sh", "-c", LOOK], AttachStdout: true, Tty: true });
  const stream = await exec.start({ Tty: true, hijack: false, stdin: false });
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text.match(/^\d+ \(claude\) Z /gm)?.length ?? 0;
}

export const zombie: Fault = {
  invariantId: "R-01",
  name: "zombie",
  title: "a real zombie in a real container",
  cured: "the container is restarted",
  obstacle: ({ docker }) => ("absent" in docker ? docker.absent : null),
  prepare: (agent) => agent.startContainer(),
  async provoke(agent) {
    const exec = await containerOf(agent).exec({ Cmd: ["sh", "-c", FORK] });
    // The answer has to be read, or its connection would stay open.
    (await exec.start({ Detach: true, hijack: false, stdin: false })).resume();
  },
  async seen(agent) {
    for (let left = LOOKS; ; left -= 1) {
      if ((await zombies(agent)) === 1) return "1 process named claude in state Z";
      if (left === 0) return null;
      await wait(LOOK_AGAIN_MS);
    }
  },
  expected: () => ({ zombie_count: 1 }),
  // A restart ends the parent and init, and with them the zombie.
  async cure(agent) {
    await containerOf(agent).restart({ t: 0 });
  },
};
