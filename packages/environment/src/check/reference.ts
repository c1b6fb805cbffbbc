import { quote, suggest } from "@drover/document/source/fault";
import type { Placed } from "@drover/document/shape/shape";
import type { Report } from "@drover/document/source/report";
import { fieldOf, type Value } from "@drover/document/source/value";
import type { ServiceDraft } from "./draft.ts";

/** Names that services give: of each other, of networks and of volumes. What is there but broken counts as known. */
export function checkReferences(drafts: readonly ServiceDraft[], document: Value, report: Report): void {
  const services = keysOf(document, "services");
  const networks = keysOf(document, "networks");
  const volumes = keysOf(document, "volumes");
  if (networks.length === 0) networks.push("default");
  const replicas = new Map(drafts.map(({ service }) => [service.name, service.replicas]));
  for (const { raw, service } of drafts) {
    for (const name of raw.dependsOn ?? []) {
      refuseUnknown(name, services, "a service", report);
      if (replicas.get(name.value) === 0 && service.replicas > 0)
        report.warn(
          name.at,
          `${quote(service.name)} never starts: it waits for ${quote(name.value)}, of which there are 0.`,
        );
    }
    for (const name of raw.networks ?? [])
      refuseUnknown(name, networks, "a network of the environment", report, "Add it to networks.");
    for (const { value, at } of raw.mounts ?? []) {
      if (value.kind !== "volume") continue;
      const place = fieldOf(at, "volume") ?? at;
      refuseUnknown(
        { value: value.volume, at: place },
        volumes,
        "a volume of the environment",
        report,
        "Add it to volumes.",
      );
    }
  }
}

function keysOf(document: Value, key: string): string[] {
  return [...(fieldOf(document, key)?.fields?.keys() ?? [])];
}

function refuseUnknown(
  { value, at }: Placed<string>,
  known: readonly string[],
  expected: string,
  report: Report,
  hint?: string,
): void {
  if (known.includes(value)) return;
  report.add(at, `Expected ${expected}, got ${quote(value)}.`, () => {
    const found = suggest(value, known);
    return hint === undefined || found.hint?.startsWith("Did") === true ? found : { hint };
  });
}
