import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

export interface PriceRow {
  provider: string;
  model: string;
  input_nanos_per_million: string;
  output_nanos_per_million: string;
  effective_from: Date;
  actor: string;
}

/** A price from a time on; absent: from now. */
export interface NewPrice {
  provider: string;
  model: string;
  inputNanosPerMillion: bigint;
  outputNanosPerMillion: bigint;
  effectiveFrom?: Date | undefined;
}

/** Adds a price to the history; undefined when there is one of the same moment. */
export async function addPrice(db: Executor, price: NewPrice, actor: string): Promise<PriceRow | undefined> {
  const [row] = await db.run<PriceRow>(sql`
    insert into drover.price (provider, model, input_nanos_per_million, output_nanos_per_million, effective_from, actor)
    values (${price.provider}, ${price.model}, ${price.inputNanosPerMillion.toString()}::bigint,
      ${price.outputNanosPerMillion.toString()}::bigint, coalesce(${price.effectiveFrom?.toISOString() ?? null}::timestamptz, now()), ${actor})
    on conflict on constraint price_is_unique do nothing
    returning provider, model, input_nanos_per_million, output_nanos_per_million, effective_from, actor`);
  return row;
}

/** Prices by provider and model, newest first: those in force, or all that ever were and are to come. */
export function listPrices(db: Executor, { isHistory = false }: { isHistory?: boolean } = {}): Promise<PriceRow[]> {
  return db.run(sql`
    select p.provider, p.model, p.input_nanos_per_million, p.output_nanos_per_million, p.effective_from, p.actor
      from drover.price p
     where ${isHistory}::boolean
        or p.effective_from <= now() and not exists (
             select from drover.price q
              where q.provider = p.provider and q.model = p.model and q.effective_from > p.effective_from and q.effective_from <= now())
     order by p.provider, p.model, p.effective_from desc`);
}
