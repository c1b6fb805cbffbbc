import type { Placed } from "@drover/document/shape/shape";
import type { ServiceMount } from "@drover/domain/environment/declaration";
import { quote } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import { fieldOf, type Place, type Value } from "@drover/document/source/value";
import type { ServiceDraft } from "./draft.ts";

/** What one service says must not contradict itself. */
export function checkService({ service, raw, at }: ServiceDraft, report: Report): void {
  const { baseDelaySeconds: base, maxDelaySeconds: max } = service.restart;
  if (base > max)
    report.add(
      placeOf(at, "restart", "maxDelay"),
      `Expected a maxDelay of at least the baseDelay, ${base} s, got ${max} s.`,
    );
  const { labels, notLabels } = service.placement;
  for (const [key, value] of Object.entries(notLabels)) {
    const wanted = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (wanted !== undefined && (value === "" || value === wanted))
      report.add(
        placeOf(at, "placement", "notLabels"),
        `Expected nodes with or without the label ${quote(key)}, got both.`,
      );
  }
  checkMountPaths(raw.mounts ?? [], report);
}

function checkMountPaths(mounts: readonly Placed<ServiceMount>[], report: Report): void {
  const taken = new Set<string>();
  for (const { value, at } of mounts) {
    const path = value.mountPath.replace(/(?<=.)\/+$/, "");
    if (taken.has(path)) report.add(at, `Expected one mount at ${quote(path)}, got a second one.`);
    taken.add(path);
  }
}

function placeOf(at: Value, key: string, inner: string): Place {
  const outer = fieldOf(at, key);
  return fieldOf(outer, inner) ?? outer ?? at;
}
