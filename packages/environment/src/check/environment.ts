import type { Declaration } from "@drover/domain/environment/declaration";
import { findCycle } from "@drover/domain/environment/dependency";
import { quote } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import { fieldOf, type Value } from "@drover/document/source/value";
import type { ServiceDraft } from "./draft.ts";
import { hostPortConflicts } from "./host-port.ts";
import { checkReferences } from "./reference.ts";
import { checkService } from "./service.ts";
import { isWithin } from "./size.ts";

/** A generation is stored whole, sent to every node and kept for ever. */
const maxDeclarationBytes = 4 * 1024 * 1024;

/** What must fit together: references, the order of starts, ports of the nodes, and what one service says. */
export function checkEnvironment(
  declaration: Declaration,
  drafts: readonly ServiceDraft[],
  document: Value,
  report: Report,
): void {
  for (const draft of drafts) checkService(draft, report);
  checkReferences(drafts, document, report);
  checkNetworks(document, report);
  checkCycle(drafts, report);
  checkHostPorts(declaration, drafts, report);
  if (declaration.isTogether) checkNodes(drafts, report);
  if (!isWithin(declaration, maxDeclarationBytes))
    report.add(document, `Expected an environment of at most ${maxDeclarationBytes} bytes with its aliases copied.`);
}

/** Docker has networks of its own, which nobody can make. */
function checkNetworks(document: Value, report: Report): void {
  for (const [name, { key, value }] of fieldOf(document, "networks")?.fields ?? []) {
    if (!["bridge", "host", "none"].includes(name) || fieldOf(value, "external")?.json === true) continue;
    report.add(key, `Expected a name that Docker has not taken, got ${quote(name)}.`);
  }
}

function checkCycle(drafts: readonly ServiceDraft[], report: Report): void {
  const cycle = findCycle(drafts.map(({ service }) => service));
  const [first, second = first] = cycle ?? [];
  const draft = drafts.find(({ service }) => service.name === first);
  if (cycle === undefined || draft === undefined) return;
  const edge = draft.raw.dependsOn?.find(({ value }) => value === second);
  const circle = [...cycle, first].join(" -> ");
  report.add(edge?.at ?? draft.at, `Expected services that can start one after the other, got a circle: ${circle}.`, {
    hint: "Take one of them out of dependsOn.",
  });
}

function checkHostPorts(declaration: Declaration, drafts: readonly ServiceDraft[], report: Report): void {
  for (const { service, index, message, hint } of hostPortConflicts(declaration)) {
    const draft = drafts.find((one) => one.service.name === service);
    const place = draft?.raw.ports?.[index]?.at ?? draft?.at;
    if (place !== undefined) report.add(place, message, { hint });
  }
}

/** Together on one node, and on two by name, cannot both be. */
function checkNodes(drafts: readonly ServiceDraft[], report: Report): void {
  const [first, ...others] = drafts.filter(({ service }) => service.placement.node !== undefined);
  for (const { service, at } of others) {
    const [wanted, other] = [service.placement.node ?? "", first?.service.placement.node ?? ""];
    if (wanted === other) continue;
    const place = at.fields?.get("placement")?.value ?? at;
    const message = `Expected all services on the node ${quote(other)} of ${quote(first?.service.name ?? "")}, got ${quote(wanted)}.`;
    report.add(place, message, { hint: "Or set together: false." });
  }
}
