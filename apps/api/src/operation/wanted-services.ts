import { createHash } from "node:crypto";
import type { EnvironmentRow } from "@drover/db/query/environment";
import type { WantedService } from "@drover/db/query/replica";
import type { ServiceRow } from "@drover/db/query/service";
import type { Declaration } from "@drover/domain/environment/declaration";
import { containerText, replicaSpec } from "@drover/domain/environment/spec";
import { applyOverrides, type ServiceOverride } from "@drover/environment/override";

/** The declaration of an environment with what operators have changed about its services. */
export function effectiveDeclaration(row: EnvironmentRow, services: readonly ServiceRow[]): Declaration {
  const overrides = services.map(({ name, overrides: changed }): ServiceOverride => ({ ...changed, name }));
  const declared = new Set(row.declaration.services.map(({ name }) => name));
  return applyOverrides(
    row.declaration,
    overrides.filter((override) => declared.has(override.name) && Object.keys(override).length > 1),
  ).declaration;
}

/** How the replicas of each declared service should be. */
export function wantedServices(row: EnvironmentRow, services: readonly ServiceRow[]): WantedService[] {
  const declaration = effectiveDeclaration(row, services);
  const byName = new Map(services.map((service) => [service.name, service]));
  return declaration.services.flatMap((service) => {
    const known = byName.get(service.name);
    if (known === undefined) return [];
    const spec = replicaSpec(declaration, service);
    return [
      {
        serviceId: known.id,
        count: service.replicas,
        generation: row.generation,
        spec,
        specHash: createHash("sha256").update(containerText(spec)).digest("hex").slice(0, 32),
        wanted: known.is_stopped ? "stopped" : "running",
        round: known.round,
      },
    ];
  });
}
