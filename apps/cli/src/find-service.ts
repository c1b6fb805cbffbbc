import { Code, ConnectError } from "@connectrpc/connect";
import { DroverError } from "@drover/domain/error";
import { findSimilar } from "@drover/domain/similar";
import type { Environment, Service } from "@drover/proto/drover/environment";
import type { Context } from "./command.ts";
import { notAnswered } from "./fault.ts";

type Asker = Pick<Context, "client" | "signal">;

/** The environment of a name; where there is none, it is told which one was meant. */
export async function findEnvironment({ client, signal }: Asker, name: string): Promise<Environment> {
  try {
    const { environment } = await client.environments.getEnvironment({ name }, { signal });
    if (environment === undefined) throw notAnswered("an environment");
    return environment;
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.NotFound) throw error;
    // What is wrong is known; that there is no list of what is right does not change it.
    const { environments } = await client.environments
      .listEnvironments({}, { signal })
      .catch(() => ({ environments: [] as Environment[] }));
    const known = environments.map((environment) => environment.name);
    const similar = findSimilar(name, known);
    if (similar === undefined) throw error;
    throw new DroverError("not_found", `There is no environment "${name}". Did you mean "${similar}"?`, {
      hint: "drover env list",
      cause: error,
    });
  }
}

/** Services of an environment by their names; none named: all. One that there is not is refused with what was meant. */
export function findServices({ name, services }: Environment, names: readonly string[]): Service[] {
  const known = services.map((service) => service.name);
  for (const wanted of names) {
    if (known.includes(wanted)) continue;
    const similar = findSimilar(wanted, known);
    const advice = similar === undefined ? `It has ${known.join(", ")}.` : `Did you mean "${similar}"?`;
    throw new DroverError("not_found", `Environment "${name}" has no service "${wanted}". ${advice}`, {
      hint: `drover service status ${name}`,
    });
  }
  return names.length === 0 ? services : services.filter((service) => names.includes(service.name));
}
