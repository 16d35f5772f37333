/**
 * One cycle in a process of its own, so that a test can kill it: `node crashing-cycle.ts <ms ahead>`.
 * The variables are those of a canary, and DYNAMO_ENDPOINT. Prints the outcome as JSON.
 */
import { createCanary } from "../../shared/canary.ts";
import { loadConfig } from "../../shared/config/config.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { documentClient } from "../../shared/store/client.ts";
import { dynamoStore } from "../../shared/store/store.ts";

const aheadMs = Number(process.argv[2]);
const config = loadConfig();
const store = dynamoStore(documentClient({ endpoint: process.env.DYNAMO_ENDPOINT! }), config.stateTable!);
const canary = createCanary(config, store);
const outcome = await runCycle({ ...canary, now: () => Date.now() + aheadMs }, { trigger: "schedule" });
process.stdout.write(JSON.stringify(outcome));
