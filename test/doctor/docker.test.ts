/** What the doctor says of Docker daemons, and how many it asks together. */
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { examineAll } from "../../shared/doctor/doctor.ts";
import { useDockerApis } from "../support/docker-api.ts";

const start = useDockerApis();

const examine = (hosts: readonly string[], more: Record<string, string> = {}) =>
  examineAll({ DOCKER_HOSTS: hosts.join(","), LIBSQL_URL: "none", SOURCE_DEADLINE_MS: "60000", ...more });

const addresses = (count: number) =>
  Array.from({ length: count }, (_, n) => `unix:///nonexistent/docker-${n}.sock`);

test.for<[number, Record<string, string>, string[]]>([
  [1, {}, []],
  [3, {}, ["3 daemons, read by the canary itself; from 10 on by readers"]],
  [
    12,
    {},
    ["12 daemons, read by readers (a deployed canary: 3 functions at once, here: a process for each core)"],
  ],
  [
    12,
    { DOCKER_READER_DAEMONS: "20" },
    ["12 daemons, read by readers (a deployed canary: 1 function at once, here: a process for each core)"],
  ],
  [12, { DOCKER_READERS_FROM: "13" }, ["12 daemons, read by the canary itself; from 13 on by readers"]],
])("where the daemons are %d it says who reads them (%j)", async ([count, variables, lines]) => {
  const { sections } = await examine(addresses(count), variables);
  const { findings } = sections.find(({ name }) => name === "docker")!;
  expect(findings.filter(({ topic }) => topic === "daemons")).toEqual(
    lines.map((text) => ({ level: "note", topic: "daemons", text })),
  );
});

test("of 34 daemons 32 are asked together, by two connections each, and all are examined", async () => {
  const apis = await Promise.all(Array.from({ length: 34 }, (_, n) => start(`agent-${n}`)));
  let [asked, most] = [0, 0];
  let open = () => {};
  const counted = new Promise<void>((resolve) => {
    open = resolve;
  });
  for (const api of apis)
    api.before = async (request) => {
      if (request !== "GET /info" && request !== "GET /images/json") return;
      asked += 1;
      if (asked === 64) {
        // Time for more to come, if more may come.
        for (let turn = 0; turn < 100; turn += 1) await setImmediate();
        most = apis.reduce((sum, { sockets }) => sum + sockets.size, 0);
        open();
      }
      await counted;
    };
  const { sections } = await examine(apis.map(({ host }) => host));
  expect(most).toBe(64);
  const examined = sections.filter(({ name }) => name.startsWith("docker unix:"));
  expect(examined.map(({ name }) => name)).toEqual(apis.map(({ host }) => `docker ${host}`));
  for (const { findings } of examined)
    expect(findings.map(({ level, topic }) => `${level} ${topic}`)).toEqual(["ok rights", "ok clock"]);
});
