/** `canary doctor`: whether a canary can see what it needs, from this machine. */
import { plainJson } from "../../text.ts";
import { type AddCommands, EXIT } from "../command.ts";
import { UsageError } from "../errors.ts";

export const addDoctorCommand: AddCommands = (canary, { done, print, screen, env, makeReaders }) => {
  canary
    .command("doctor")
    .description(
      "say what a canary on this machine would see: release, rights, indexes, clocks, and what each invariant will be; it writes nothing, and asks no canary",
    )
    .option("--json", "what was found as an object and nothing else")
    .action(async ({ json }) => {
      if (env() !== undefined)
        throw new UsageError("doctor looks from this machine, with its variables: leave --env out");
      // Loaded only here, so that the help stays fast.
      const [{ examineAll }, { outcomeOf }, { renderExamination }, { environmentWith }] = await Promise.all([
        import("../../doctor/doctor.ts"),
        import("../../doctor/finding.ts"),
        import("../doctor-table.ts"),
        import("../../config/reader.ts"),
      ]);
      const examination = await examineAll(environmentWith(), { makeReaders });
      print(json ? plainJson(examination) : renderExamination(examination, screen()));
      done(EXIT[outcomeOf(examination)]);
    });
};
