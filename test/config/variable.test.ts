/** A variable's `parse` reads what its `format` writes: the stack writes what the functions read. */
import { describe, expect, test } from "vitest";
import { GROUPS } from "../../infra/docs.ts";
import { reader } from "../../shared/config/reader.ts";
import { oneOf, onOff, type Variable, wholeNumber } from "../../shared/config/variable.ts";
import { docker } from "../../shared/sources/docker/docker.ts";

const readBack = <T>(variable: Variable<T>, value: T): unknown => {
  const text = variable.format(value);
  return text === undefined ? value : reader({ [variable.name]: text }).values({ variable }).variable;
};

describe("what is written is read back", () => {
  const all = Object.values(GROUPS).flatMap((tables) => tables.flatMap((table) => Object.values(table)));
  test.each(all.map((variable) => [variable.name, variable as Variable<unknown>] as const))(
    "the default of %s",
    (_, variable) => expect(readBack(variable, variable.fallback)).toEqual(variable.fallback),
  );

  test("values of each kind", () => {
    const number = wholeNumber("N", "", { fallback: 1, range: [0, 9] });
    for (const value of [0, 9]) expect(readBack(number, value)).toBe(value);
    const flag = onOff("F", "", { fallback: true });
    for (const value of [true, false]) expect(readBack(flag, value)).toBe(value);
    const choice = oneOf("C", "", { fallback: "a", names: ["a", "b"] });
    expect(readBack(choice, "b")).toBe("b");
    for (const hosts of ["none" as const, ["tcp://a:2376", "unix:///b"]])
      expect(readBack(docker.variables.hosts, hosts)).toEqual(hosts);
  });
});
