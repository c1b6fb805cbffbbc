import { DroverError } from "@drover/domain/error";
import type { ExecutorName } from "@drover/domain/execution";
import type { Executor } from "../client.ts";
import { findClass } from "./class.ts";
import { ensureQueue, findNamespace } from "./queue.ts";

export interface ClassFacts {
  id: number;
  defaultImage: string | undefined;
  depthLimit: number | undefined;
}

/** Names to ids, remembered: ids never change, and what may change of a class is looked up again after a moment. */
export interface Directory {
  namespaceId(name: string): Promise<number>;
  class(namespaceId: number, name: string): Promise<ClassFacts>;
  queueId(queue: { namespaceId: number; className: string; executor: ExecutorName; taskType: string }): Promise<number>;
}

/** A directory over one database; a change of a class is seen after `classSeconds` at most. */
export function createDirectory({ db, classSeconds = 5 }: { db: Executor; classSeconds?: number }): Directory {
  const namespaces = new Map<string, number>();
  const classes = new Map<string, { facts: ClassFacts; until: number }>();
  const queues = new Map<string, number>();

  const directory: Directory = {
    async namespaceId(name) {
      const id = namespaces.get(name) ?? (await findNamespace(db, name));
      if (id === undefined) {
        throw new DroverError("not_found", `Namespace "${name}" does not exist.`, {
          hint: `List the namespaces with "drover namespace list", or create it with "drover namespace create ${name}".`,
        });
      }
      namespaces.set(name, id);
      return id;
    },
    async class(namespaceId, name) {
      const key = `${namespaceId}/${name}`;
      const known = classes.get(key);
      if (known !== undefined && known.until > performance.now()) return known.facts;
      const row = await findClass(db, namespaceId, name);
      if (row === undefined) {
        throw new DroverError("invalid", `Expected a class that exists, got "${name}".`, {
          hint: `List the classes with "drover class list", or create it with "drover class create ${name}".`,
          fields: [{ field: "class", message: `there is no class "${name}"` }],
        });
      }
      const facts = {
        id: row.id,
        defaultImage: row.default_image ?? undefined,
        depthLimit: row.depth_limit === null ? undefined : Number(row.depth_limit),
      };
      classes.set(key, { facts, until: performance.now() + classSeconds * 1000 });
      return facts;
    },
    async queueId({ namespaceId, className, executor, taskType }) {
      const { id: classId } = await directory.class(namespaceId, className);
      const key = `${classId}/${executor}/${taskType}`;
      const known = queues.get(key);
      if (known !== undefined) return known;
      const id = await ensureQueue(db, { namespaceId, classId, executor, taskType });
      // Types come from clients: the memory of them stays bounded.
      if (queues.size > 10_000) queues.clear();
      queues.set(key, id);
      return id;
    },
  };
  return directory;
}
