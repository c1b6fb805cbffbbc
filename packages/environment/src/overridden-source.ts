import type { Declaration, Probe } from "@drover/domain/environment/declaration";
import type { Json } from "@drover/domain/json";
import { createReport } from "@drover/document/source/report";
import { readText } from "@drover/document/source/text";
import { findService } from "./built-in.ts";
import { applyOverrides, type ServiceOverride } from "./override.ts";

export interface OverriddenSourceOptions {
  /** A document without faults, and what it declares. */
  text: string;
  declaration: Declaration;
  overrides: readonly ServiceOverride[];
  /** The longest that a start of any service with a check may take. */
  startSeconds?: number;
}

/** A document as an env-manager's configuration changes it, as JSON; services that it does not have are told. */
export function overriddenSource({ text, declaration, overrides, startSeconds }: OverriddenSourceOptions): {
  text: string;
  warnings: string[];
} {
  const { warnings, declaration: after } = applyOverrides(declaration, overrides);
  const names = new Set(overrides.map(({ name }) => findService(declaration, name)?.name));
  const document = objectOf(readText(text, createReport())?.json);
  const services = Object.fromEntries(
    Object.entries(objectOf(document["services"])).map(([name, written]) => {
      const [raw, service] = [objectOf(written), findService(after, name)];
      const isChanged = names.has(name) && service !== undefined;
      const health = {
        ...(isChanged && service.health
          ? changedHealth(objectOf(raw["health"]), service.health.probe)
          : objectOf(raw["health"])),
        ...(startSeconds !== undefined && service?.health && { start: `${startSeconds}s` }),
      };
      return [
        name,
        {
          ...raw,
          ...(isChanged && { required: service.isRequired, env: service.env }),
          ...(Object.keys(health).length > 0 && { health }),
        },
      ];
    }),
  );
  return { text: JSON.stringify({ ...document, services }, null, 2), warnings };
}

/** Its pace stays; what is probed is said anew. */
function changedHealth(raw: Record<string, Json>, probe: Probe): Record<string, Json> {
  if (probe.kind !== "url" && probe.kind !== "tcp" && probe.kind !== "redis") return raw;
  const { interval, timeout, retries, start } = raw;
  const pace = Object.entries({ interval, timeout, retries, start }).filter(([, value]) => value !== undefined);
  return {
    ...(Object.fromEntries(pace) as Record<string, Json>),
    [probe.kind]: probe.kind === "url" ? probe.url : probe.port,
  };
}

function objectOf(value: Json | undefined): Record<string, Json> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}
