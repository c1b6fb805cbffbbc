import { customType, pgSchema } from "drizzle-orm/pg-core";

/** Where all tables lie; names of properties are names of columns, since rows come as the driver gives them. */
export const drover = pgSchema("drover");

/** A bigint as a decimal string: keys and fences are larger than a JavaScript number. */
export const key = customType<{ data: string }>({ dataType: () => "bigint" });

/** A transaction id that is never reused, as a decimal string. */
export const xid8 = customType<{ data: string }>({ dataType: () => "xid8" });

export const bytea = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });
