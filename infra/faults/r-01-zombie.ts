import { patiently, present, type Scene } from "../drill/scene.ts";
import type { Fault } from "./fault.ts";

/** A claude that ends at once, and a parent that never waits for it. */
const FORK =
  "printf '#!/bin/sh\\n' >/tmp/claude && chmod +x /tmp/claude && { /tmp/claude & exec sleep 3600; }";
/** Shell built-ins only: an image need not have ps or cat. Not the way in which the canary looks. */
const LOOK = 'for f in /proc/[0-9]*/stat; do read -r l <"$f" && echo "$l"; done 2>/dev/null';

const containerOf = ({ ground, agent }: Scene) =>
  present(ground.docker).daemon.getContainer(`agent-${agent}`);

/** @returns how many zombies named claude there are */
async function zombies(scene: Scene): Promise<number> {
  // With a terminal, the stream is the text itself.
  const exec = await containerOf(scene).exec({ Cmd: ["sh", "-c", LOOK], AttachStdout: true, Tty: true });
  const stream = await exec.start({ Tty: true, hijack: false, stdin: false });
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text.match(/^\d+ \(claude\) Z /gm)?.length ?? 0;
}

export const zombie: Fault = {
  invariantId: "R-01",
  title: "a real zombie in a real container",
  obstacle: async ({ ground: { docker } }) => ("absent" in docker ? docker.absent : null),
  prepare: (scene) => scene.startContainer(),
  async provoke(scene) {
    const exec = await containerOf(scene).exec({ Cmd: ["sh", "-c", FORK] });
    // The connection of an answer that nobody reads would stay open.
    (await exec.start({ Detach: true, hijack: false, stdin: false })).resume();
  },
  seen: (scene) =>
    patiently(async () => ((await zombies(scene)) === 1 ? "1 process named claude in state Z" : null)),
  expected: () => ({ zombie_count: 1 }),
  // Its parent goes, and init with it: nothing is left that could have forgotten to wait.
  async cure(scene) {
    await containerOf(scene).restart({ t: 0 });
  },
};
