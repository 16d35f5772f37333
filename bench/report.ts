import type { DockerReport, SmallReport } from "./measure-docker.ts";
import type { FleetReport } from "./measure-fleet.ts";
import type { StartReport } from "./start.ts";

export interface BenchReport {
  readonly node: string;
  readonly cpus: number;
  readonly runs: number;
  readonly agents: readonly FleetReport[];
  readonly history: readonly FleetReport[];
  readonly docker: readonly DockerReport[];
  readonly small: SmallReport | null;
  readonly start: StartReport | null;
  readonly tookSeconds: number;
}
export const renderReport = (report: BenchReport): string => JSON.stringify(report, null, 1);
export const performancePage = (report: BenchReport): string => JSON.stringify(report);
