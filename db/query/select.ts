import { QueryBuilder } from "drizzle-orm/pg-core";

/** Builds ordinary selects over the tables of db/schema; `Executor.run` takes them like sql``. */
export const select = new QueryBuilder();
