import type { SQLWrapper } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import postgres from "postgres";
import { asDatabaseFault } from "./fault.ts";

/** Runs statements: the database itself, or a transaction of it. */
export interface Executor {
  /** Runs one statement, prepared where the connection allows; rows as objects, bigints as decimal strings. */
  run<Row>(statement: SQLWrapper): Promise<Row[]>;
}

export interface Database extends Executor {
  /** Commits when `work` resolves, rolls back when it rejects. */
  transaction<T>(work: (tx: Executor) => Promise<T>): Promise<T>;
  close(options?: { timeoutSeconds?: number }): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  maxConnections?: number;
  /** Behind a transaction-mode pooler: no named statements, no session settings. */
  isPooled?: boolean;
  applicationName?: string;
  statementTimeoutMs?: number;
}

/** Opens a pool. Nothing connects until the first statement; lost connections are replaced by themselves. */
export function openDatabase({
  url,
  maxConnections = 10,
  isPooled = false,
  applicationName = "drover",
  statementTimeoutMs = 30_000,
}: DatabaseOptions): Database {
  const client = postgres(url, {
    max: maxConnections,
    prepare: !isPooled,
    idle_timeout: 0,
    connect_timeout: 10,
    max_lifetime: 60 * 60,
    backoff: (tries: number) => Math.min(2, 0.05 * 2 ** tries),
    onnotice: () => {},
    types: jsonAsText,
    connection: isPooled
      ? {}
      : { application_name: applicationName, statement_timeout: statementTimeoutMs, jit: "off" },
    ...(isPooled ? {} : { target_session_attrs: "primary" as const }),
  });
  const executor = bind(client, !isPooled);
  return {
    ...executor,
    transaction: async <T>(work: (tx: Executor) => Promise<T>) => {
      try {
        return (await client.begin((tx) => work(bind(tx, !isPooled)))) as T;
      } catch (error) {
        throw asDatabaseFault(error);
      }
    },
    close: ({ timeoutSeconds = 5 } = {}) => client.end({ timeout: timeoutSeconds }),
  };
}

const dialect = new PgDialect();

/** JSON travels as text that the caller made: 1.0 stays 1.0, and nothing is encoded twice. */
const jsonAsText = {
  json: { to: 114, from: [114], serialize: (text: string) => text, parse: JSON.parse },
  jsonb: { to: 3802, from: [3802], serialize: (text: string) => text, parse: JSON.parse },
};

function bind(client: Pick<postgres.Sql, "unsafe">, prepare: boolean): Executor {
  return {
    run: async <Row>(statement: SQLWrapper) => {
      const { sql, params } = dialect.sqlToQuery(statement.getSQL());
      try {
        // Values are what the driver takes: texts, numbers, arrays of them.
        const rows = await client.unsafe(sql, params as postgres.ParameterOrJSON<never>[], { prepare });
        return rows as unknown as Row[];
      } catch (error) {
        throw asDatabaseFault(error);
      }
    },
  };
}
