/** Where the platform's database is. */
import { address } from "../../config/source-variables.ts";
import { token } from "../../config/variable.ts";

export const SQLITE = {
  url: address("LIBSQL_URL", {
    meaning:
      "the platform's database: `libsql://`, `https://` or `http://` of a libsql server (Turso, sqld), or `file:` and the path of a database file",
    schemes: ["libsql:", "https:", "http:", "file:"],
    example: "libsql://db.example.com or file:/data/trinity.db",
  }),
  authToken: token("LIBSQL_AUTH_TOKEN", "the libsql server's token, where it asks for one"),
};
