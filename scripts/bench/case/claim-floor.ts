import type { Figure } from "../figure.ts";
import { inFlight } from "../measure.ts";
import { connectPg } from "../peer.ts";

const batches = 100;
const size = 1000;

const claim = `
  with pick as (
    select id from item where queue = 'noop' and state = 0 and run_at <= now() order by run_at, id limit ${size} for update skip locked
  ), gone as (
    delete from item using pick where item.id = pick.id returning item.id, item.payload
  )
  insert into lease (holder, until, jobs)
  select 'w', now() + interval '30 s', jsonb_agg(jsonb_build_array(id, payload)) from gone
  returning id, jobs::text`;

/** Claims and completes in batches of 1,000 by two clients, one lease row a batch: the least that a fenced queue does. */
export async function claimFloor(url: string): Promise<Figure> {
  const clients = await Promise.all([connectPg(url), connectPg(url)]);
  const [first] = clients;
  await first.query(
    "create table lease (id bigint generated always as identity primary key, holder text, until timestamptz, jobs jsonb)",
  );
  await first.query({
    text: `insert into item (queue, payload) select 'noop', '{"index":1,"sentAt":12345.678}' from generate_series(1, $1::integer)`,
    values: [batches * size],
  });
  await first.query("analyze");
  await first.query("checkpoint");
  const { ms } = await inFlight(clients.length, { count: batches }, async (index) => {
    const client = clients[index % 2] ?? first;
    const { rows } = await client.query({ name: "claim", text: claim });
    await client.query({ name: "complete", text: "delete from lease where id = $1", values: [rows[0]?.["id"]] });
  });
  for (const client of clients) await client.end();
  return {
    metric: "claim and complete, batches of 1,000",
    contestant: "floor",
    value: ((batches * size) / ms) * 1000,
    unit: "jobs/s",
  };
}
