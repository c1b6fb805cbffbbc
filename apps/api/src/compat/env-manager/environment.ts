import { type EnvironmentRow, findEnvironment } from "@drover/db/query/environment";
import type { Declaration, Service } from "@drover/domain/environment/declaration";
import { DroverError } from "@drover/domain/error";
import { builtIn, findService } from "@drover/environment/built-in";
import type { Caller, Deps } from "../../operation/context.ts";
import { declareEnvironment } from "../../operation/declare-environment.ts";
import { type SeenEnvironment, seeEnvironments } from "../../operation/view-environment.ts";

export interface KnownEnvironment {
  readonly name: string;
  /** As it is; undefined where nobody has made it yet. */
  find(caller: Caller): Promise<EnvironmentRow | undefined>;
  /** As it is; made from the built-in one of its name, with all services stopped, where nobody has. */
  ensure(caller: Caller): Promise<EnvironmentRow>;
  /** As it is and what is seen of it; undefined where nobody has made it yet. */
  see(caller: Caller): Promise<SeenEnvironment | undefined>;
  /** The newest generation, or the built-in one that it would be made from. */
  declaration(caller: Caller): Promise<Declaration>;
}

/** Who made a generation that the env-manager's interface or its configuration brought. */
export const envManagerActor = "env-manager";

/** The environment that clients of the env-manager speak of without naming it. */
export function createKnownEnvironment(deps: Deps, name: string): KnownEnvironment {
  const find = async ({ namespace }: Caller) => {
    const row = await findEnvironment(deps.db, await deps.directory.namespaceId(namespace), name);
    return row?.deletion_requested_at === null ? row : undefined;
  };
  return {
    name,
    find,
    async ensure(caller) {
      const row = await find(caller);
      if (row !== undefined) return row;
      if (builtIn(name) === undefined) throw missing(name);
      await declareEnvironment(deps, { ...caller, actor: envManagerActor }, name);
      const made = await find(caller);
      if (made === undefined) throw missing(name);
      return made;
    },
    async see(caller) {
      const row = await find(caller);
      const [seen] = row === undefined ? [] : await seeEnvironments(deps.db, [row]);
      return seen;
    },
    async declaration(caller) {
      const declaration = (await find(caller))?.declaration ?? builtIn(name)?.declaration;
      if (declaration === undefined) throw missing(name);
      return declaration;
    },
  };
}

/** The service of a name; refuses one that is not there. */
export function requireService(declaration: Declaration, name: string): Service {
  const service = findService(declaration, name.trim());
  if (service !== undefined) return service;
  const known = declaration.services.map((one) => one.name).join(", ");
  throw new DroverError("not_found", `service ${name} not found`, { hint: `It is one of ${known}.` });
}

function missing(name: string): DroverError {
  return new DroverError("not_found", `Environment "${name}", of which the env-manager speaks, is not there.`, {
    hint: 'Apply it with "drover env apply", or set DROVER_API_ENV_MANAGER_ENVIRONMENT to one that is.',
  });
}
