/** What an operator reads where no connection could be made: what is wrong, what to check, where, and which variable says so. */
import { expect, test } from "vitest";
import { parseAddress } from "../../../shared/sources/postgres/address.ts";
import { connectionError } from "../../../shared/sources/postgres/errors.ts";

const ADDRESS = parseAddress("postgres://canary:hunter2@db.example.com/trinity", null, null);

test.each([
  ["ECONNREFUSED", /^no server listens there \(ECONNREFUSED\): check host and port/],
  ["ENOTFOUND", /^there is no such host name \(ENOTFOUND\): check how it is spelled/],
  ["EAI_AGAIN", /^the host name can't be looked up \(EAI_AGAIN\): check the name server/],
  [
    "EHOSTUNREACH",
    /^the host can't be reached from here \(EHOSTUNREACH\): check network, route and security group/,
  ],
  [
    "ENETUNREACH",
    /^the host can't be reached from here \(ENETUNREACH\): check network, route and security group/,
  ],
  ["ETIMEDOUT", /^the host does not answer \(ETIMEDOUT\): check host and port, network and security group/],
])("%s", (code, said) => {
  const error = Object.assign(new Error(`connect ${code} postgres://canary:hunter2@db.example.com`), {
    code,
  });
  const { message } = connectionError(error, ADDRESS);
  expect(message).toMatch(said);
  expect(message).toMatch(/, db\.example\.com:5432: DATABASE_URL$/);
  expect(message).not.toContain("hunter2");
});
