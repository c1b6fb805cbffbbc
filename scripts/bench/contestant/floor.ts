import type { Contestant, Job } from "../contestant.ts";
import { connectPg } from "../peer.ts";

const insert = "insert into item (queue, payload) select * from unnest($1::text[], $2::jsonb[]) returning id";

/** What Postgres and Node can do at all: rows inserted by the shortest way, each durable before its caller is answered. */
export const floor: Contestant = {
  version: () => "",
  settings: "one unnest insert per round trip, two connections",
  open: "select count(*) as open from item",
  async prepare(url) {
    const client = await connectPg(url);
    await client.query(`
      create table item (id bigint generated always as identity primary key, queue text not null, payload jsonb not null,
        state smallint not null default 0, run_at timestamptz not null default now(), created_at timestamptz not null default now());
      create index on item (queue, run_at, id) where state = 0`);
    await client.end();
  },
  async produce(url) {
    const clients = await Promise.all([connectPg(url), connectPg(url)]);
    const idle = [...clients];
    let waiting: { job: Job; resolve: () => void; reject: (error: unknown) => void }[] = [];
    const send = (client: (typeof clients)[number], jobs: Job[]) =>
      client.query({
        name: "insert",
        text: insert,
        values: [jobs.map(() => "noop"), jobs.map((job) => JSON.stringify(job))],
      });
    const depart = async () => {
      const client = waiting.length > 0 ? idle.pop() : undefined;
      if (client === undefined) return;
      const batch = waiting;
      waiting = [];
      await send(
        client,
        batch.map((entry) => entry.job),
      ).then(
        () => batch.forEach((entry) => entry.resolve()),
        (error: unknown) => batch.forEach((entry) => entry.reject(error)),
      );
      idle.push(client);
      setImmediate(() => void depart());
    };
    let turn = 0;
    return {
      submit: (job) =>
        new Promise<void>((resolve, reject) => {
          waiting.push({ job, resolve, reject });
          setImmediate(() => void depart());
        }),
      submitAll: (jobs) => send(clients[turn++ % 2] ?? clients[0], jobs),
      async stop() {
        for (const client of clients) await client.end();
      },
    };
  },
  work: () => Promise.reject(new Error("the floor has no worker")),
};
