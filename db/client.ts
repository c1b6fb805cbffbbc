import type { SQLWrapper } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import postgres from "postgres";
import { arrayTypes, toArrayLiteral } from "./array.ts";
import { asDatabaseFault, errorCode, isConnectionLoss } from "./fault.ts";
import { createTurnstile } from "./turnstile.ts";

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
  /** Asked by each new connection, in place of the password in the URL. */
  password?: () => Promise<string>;
  maxConnections?: number;
  /** Behind a transaction-mode pooler: no named statements, no session settings. */
  isPooled?: boolean;
  applicationName?: string;
  statementTimeoutMs?: number;
  /** After so long without an answer a connection is taken for dead, though nobody closed it. */
  answerTimeoutMs?: number;
  connectTimeoutSeconds?: number;
}

/** Opens a pool. Nothing connects until the first statement; lost connections are replaced by themselves. */
export function openDatabase({
  url,
  password,
  maxConnections = 10,
  isPooled = false,
  applicationName = "drover",
  statementTimeoutMs = 30_000,
  answerTimeoutMs = statementTimeoutMs + 5_000,
  connectTimeoutSeconds = 10,
}: DatabaseOptions): Database {
  // A pooler may give the server away between the halves of a statement that was sent ahead of an answer, and that one
  // then waits for ever. The driver sends ahead only where there are more statements than connections.
  const enter = createTurnstile(isPooled ? maxConnections : undefined);
  const connect = () =>
    postgres(url, {
      ...(password && { password }),
      max: maxConnections,
      prepare: !isPooled,
      idle_timeout: 0,
      connect_timeout: connectTimeoutSeconds,
      max_lifetime: 60 * 60,
      backoff: (tries: number) => Math.min(2, 0.05 * 2 ** tries),
      onnotice: () => {},
      fetch_types: false,
      types: { ...jsonAsText, ...arrayTypes },
      connection: isPooled
        ? {}
        : { application_name: applicationName, statement_timeout: statementTimeoutMs, jit: "off" },
      ...(isPooled ? {} : { target_session_attrs: "primary" as const }),
    });
  let client = connect();
  /**
   * A connection that was lost with a statement half written never comes back: the driver appends its greeting to what
   * it has kept, and waits for a timer that it has cleared, or is hung up on by a server that understands none of it.
   * The pool is replaced; what others run on it may end.
   */
  const replaceAfter = (used: postgres.Sql, error: unknown) => {
    if (!brokenWrites.has(errorCode(error) ?? "") || used !== client || isClosed) return;
    client = connect();
    used.end({ timeout: 60 }).catch(() => {});
  };
  let isClosed = false;
  const guard = <T>(work: (on: postgres.Sql) => Promise<T>): Promise<T> =>
    enter(async () => {
      const used = client;
      try {
        return await work(used);
      } catch (error) {
        replaceAfter(used, error);
        throw error;
      }
    });
  return {
    run: <Row>(statement: SQLWrapper) =>
      guard((on) => answered(bind(on, !isPooled).run<Row>(statement), answerTimeoutMs)),
    transaction: (work) => guard((on) => transact(on, !isPooled, work)),
    close: ({ timeoutSeconds = 5 } = {}) => {
      isClosed = true;
      return client.end({ timeout: timeoutSeconds });
    },
  };
}

/** Gives up on an answer that does not come: bytes that a network swallows are reported by nobody. */
async function answered<T>(answer: Promise<T>, withinMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const cause = Object.assign(new Error(`no answer within ${withinMs} ms`), { code: "CONNECT_TIMEOUT" });
      reject(asDatabaseFault(cause));
    }, withinMs);
  });
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** Faults after which a connection of the driver may be of no use for good. */
const brokenWrites = new Set(["CONNECT_TIMEOUT", "CONNECTION_CLOSED", "ECONNRESET"]);

const dialect = new PgDialect();

/** JSON travels as text that the caller made: 1.0 stays 1.0, and nothing is encoded twice. */
const jsonAsText = {
  json: { to: 114, from: [114], serialize: (text: string) => text, parse: JSON.parse },
  jsonb: { to: 3802, from: [3802], serialize: (text: string) => text, parse: JSON.parse },
};

/**
 * The driver goes on writing to a connection that was lost in mid-transaction: it ends the process by an uncaught error,
 * or runs the rest of the transaction on the connection's next life, statement by statement. So no statement leaves
 * after a loss, and `work` does not end before the driver has noticed, or it would send a rollback.
 */
async function transact<T>(client: postgres.Sql, prepare: boolean, work: (tx: Executor) => Promise<T>): Promise<T> {
  let loss: unknown;
  try {
    const begun = client.begin((connection) => {
      const bound = bind(connection, prepare);
      const tx: Executor = {
        run: async <Row>(statement: SQLWrapper) => {
          if (loss !== undefined) throw asDatabaseFault(loss);
          return bound.run<Row>(statement).catch((error: unknown) => {
            if (isConnectionLoss(error)) loss = error;
            throw error;
          });
        },
      };
      const never = new Promise<T>(() => {});
      return work(tx).then(
        (value) => (loss === undefined ? value : never),
        (error: unknown) => (loss === undefined ? Promise.reject(error) : never),
      );
    });
    begun.catch((error: unknown) => (loss ??= error));
    return (await begun) as T;
  } catch (error) {
    throw asDatabaseFault(error);
  }
}

function bind(client: Pick<postgres.Sql, "unsafe">, prepare: boolean): Executor {
  return {
    run: async <Row>(statement: SQLWrapper) => {
      const { sql, params } = dialect.sqlToQuery(statement.getSQL());
      try {
        const values = params.map((value) => (Array.isArray(value) ? toArrayLiteral(value) : value));
        // Values are what the driver takes: texts, numbers, bytes.
        const rows = await client.unsafe(sql, values as postgres.ParameterOrJSON<never>[], { prepare });
        return rows as unknown as Row[];
      } catch (error) {
        throw asDatabaseFault(error);
      }
    },
  };
}
