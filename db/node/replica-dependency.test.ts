import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Database, openDatabase } from "../client.ts";
import { createTestDatabase, type TestDatabase } from "../testing.ts";

let house: TestDatabase;
let db: Database;
beforeAll(async () => {
  house = await createTestDatabase();
  db = openDatabase({ url: house.url, maxConnections: 1 });
});
afterAll(async () => {
  await db.close();
  await house.drop();
});

it("a node is told which services of other nodes its replicas wait for, and which are up there", async () => {
  await db.run(
    sql`insert into drover.holder (namespace_id, kind, name) values (1, 'node', 'here'), (1, 'node', 'there')`,
  );
  await db.run(sql`insert into drover.environment (namespace_id, name) values (1, 'shop')`);
  await db.run(sql`insert into drover.service (environment_id, name)
    select e.id, s from drover.environment e, unnest(array['cache', 'absent', 'page']) as s`);
  const replica = (service: string, number: number, node: string, state: string, dependsOn: string[] = []) =>
    db.run(sql`
      with made as (
        insert into drover.replica (id, namespace_id, environment_id, service_id, number, generation, spec, spec_hash, holder_id)
        select drover.next_id(), 1, s.environment_id, s.id, ${number}, 1, ${JSON.stringify({ service: { dependsOn } })}, '', h.id
          from drover.service s, drover.holder h where s.name = ${service} and h.name = ${node}
        returning id, holder_id
      )
      insert into drover.replica_status (replica_id, holder_id, state, message) select id, holder_id, ${state}, '' from made`);
  await replica("cache", 1, "here", "failed");
  await replica("cache", 2, "there", "running");
  await replica("absent", 1, "there", "starting");
  await replica("page", 1, "here", "starting", ["cache", "absent"]);
  await replica("page", 2, "there", "starting", ["cache", "absent"]);
  const told = async (node: string) => {
    const [row] = await db.run<{ all: { service: string; unmet: string[] | null; met: string[] | null }[] }>(
      sql`select drover.replicas_of(h.id) as all from drover.holder h where h.name = ${node}`,
    );
    const page = row?.all.find(({ service }) => service === "page");
    return [page?.met, page?.unmet];
  };
  expect(await told("here")).toEqual([["cache"], ["absent"]]);
  expect(await told("there")).toEqual([null, null]);
});
