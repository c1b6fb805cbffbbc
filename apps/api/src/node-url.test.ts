import { describe, expect, it } from "vitest";
import { nodeDatabaseUrl } from "./node-url.ts";

const login = { login: "drover_node_7", password: "p/w" };
const own = "drover_node_7:p%2Fw";

describe("nodeDatabaseUrl", () => {
  it("puts the node's own login into the URL and leaves the rest as it is", () => {
    expect(nodeDatabaseUrl("postgres://api:secret@db.example:6432/drover?sslmode=require&user=api", login)).toBe(
      `postgres://${own}@db.example:6432/drover?sslmode=require`,
    );
    expect(nodeDatabaseUrl("postgresql://a:5432,b:5433/drover", login)).toBe(
      `postgresql://${own}@a:5432,b:5433/drover`,
    );
  });

  it("names the database that was named after its user", () => {
    expect(nodeDatabaseUrl("postgres://drover@db", login)).toBe(`postgres://${own}@db/drover`);
  });

  it("says what to set where the database is reached by a socket, which nodes cannot", () => {
    for (const socket of [
      "postgres:///drover?host=/run/postgresql",
      "postgres://%2Frun%2Fpostgresql/drover",
      "postgres:///drover",
    ]) {
      expect(() => nodeDatabaseUrl(socket, login)).toThrow("the API itself reaches it by a unix socket");
    }
  });

  it("tells no password when it refuses", () => {
    expect(() => nodeDatabaseUrl("postgres://a:hush@/drover?host=/run", login)).toThrow(/^(?!.*hush)/);
  });
});
