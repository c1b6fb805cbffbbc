import type { Executor } from "@drover/db/client";
import { type EnvironmentRow, findEnvironment as findRow, listEnvironments } from "@drover/db/query/environment";
import { DroverError } from "@drover/domain/error";
import { findSimilar } from "@drover/domain/similar";
import { findService } from "@drover/environment/built-in";
import type { Service } from "@drover/domain/environment/declaration";
import type { Caller, Deps } from "./context.ts";

/** An environment by its name. */
export async function findEnvironment(
  deps: Pick<Deps, "db" | "directory">,
  caller: Caller,
  name: string,
): Promise<EnvironmentRow> {
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const row = await findRow(deps.db, namespaceId, name);
  return row ?? (await refuseEnvironment(deps.db, namespaceId, name));
}

/** The services of an environment by the names that were asked for; none: all. */
export function findServices({ name, declaration }: EnvironmentRow, names: readonly string[]): Service[] {
  if (names.length === 0) return declaration.services;
  const known = declaration.services.map((service) => service.name);
  return [...new Set(names.map((one) => findService(declaration, one) ?? refuseService(name, known, one)))];
}

/** The error for an environment that is not there. */
export function environmentNotFound(name: string, known: readonly string[] = []): DroverError {
  const similar = findSimilar(name, known);
  return new DroverError("not_found", `Environment "${name}" does not exist.`, {
    hint: similar === undefined ? 'List the environments with "drover env list".' : `Did you mean "${similar}"?`,
  });
}

/** Refuses an environment that is not there, with the one that was probably meant. */
export async function refuseEnvironment(db: Executor, namespaceId: number, name: string): Promise<never> {
  const known = await listEnvironments(db, namespaceId);
  throw environmentNotFound(
    name,
    known.map((row) => row.name),
  );
}

/** Refuses a service that an environment does not have, with the one that was probably meant. */
export function refuseService(environment: string, known: readonly string[], name: string): never {
  const similar = findSimilar(name, known);
  throw new DroverError("not_found", `Environment "${environment}" has no service "${name}".`, {
    hint: similar === undefined ? `Its services: ${known.join(", ")}.` : `Did you mean "${similar}"?`,
  });
}
