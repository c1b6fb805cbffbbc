import { migrate } from "../../db/migrate.ts";
import { dumpSchema } from "../../db/schema-dump.ts";
import { startTestServer } from "../../db/testing-server.ts";

/** db/schema.sql: what the migrations and functions amount to, on a PostgreSQL of its own. */
export async function schemaDump(): Promise<string> {
  const server = await startTestServer({ migrate });
  try {
    const template = new URL(server.url);
    template.pathname = `/${server.template}`;
    return await dumpSchema({ url: template.href });
  } finally {
    await server.stop();
  }
}
