import type { Declaration, Network, Volume } from "@drover/domain/environment/declaration";
import { named, record } from "@drover/document/shape/record";
import { documented, flag, mapped, placed, text, word, type Placed } from "@drover/document/shape/shape";
import type { Report } from "@drover/document/source/report";
import { fieldOf, type Value } from "@drover/document/source/value";
import { checkEnvironment } from "./check/environment.ts";
import type { ServiceDraft } from "./check/draft.ts";
import { atMost, dockerName, labelExpected, labelPattern, labels, orNothing } from "./shape/scalar.ts";
import { compileService } from "./service.ts";
import { drift, service, type RawService } from "./service-shape.ts";

const maxServices = 100;
const defaultNetwork = "default";

const network = mapped(
  record({ name: "a network", optional: { internal: flag(), external: flag() } }),
  ({ internal, external }, at, report): Omit<Network, "name"> => {
    if (internal === true && external === true)
      report.add(at, "Expected a network that is internal or external, got both.", {
        hint: "Whoever made an external network has said whether it is internal.",
      });
    return { ...(internal === true && { isInternal: true }), ...(external === true && { isExternal: true }) };
  },
);

const volume = mapped(
  record({ name: "a volume", optional: { external: flag() } }),
  ({ external }): Omit<Volume, "name"> => (external === true ? { isExternal: true } : {}),
);

const servicesByName = atMost(
  maxServices,
  named(placed(service), {
    name: "services by their names",
    key: { pattern: labelPattern, expected: `${labelExpected}, for a service` },
  }),
  "services",
);
const services: typeof servicesByName = { ...servicesByName, schema: { ...servicesByName.schema, minProperties: 1 } };

/** The whole document. */
export const environment = record({
  name: "an environment",
  required: {
    drover: word(["environment/v1"]),
    name: text({ pattern: labelPattern, expected: labelExpected }),
    services,
  },
  optional: {
    networks: documented(
      atMost(20, named(orNothing(network, {}), { name: "networks by their names", key: dockerName }), "networks"),
      "Absent: one for all services. external: it is there already, and is neither made nor removed.",
    ),
    volumes: documented(
      atMost(100, named(orNothing(volume, {}), { name: "volumes by their names", key: dockerName }), "volumes"),
      "external: it is there already, and is neither made nor removed.",
    ),
    together: documented(flag(), "All on one node, where they reach each other by name; true."),
    drift: documented(drift, "What becomes of containers that were changed by hand, where a service does not say."),
    labels: documented(labels(), "Of all its containers."),
  },
});

/** Compiles a document to a declaration; undefined where what is wrong has been reported. */
export function compileEnvironment(document: Value, report: Report): Declaration | undefined {
  const raw = environment.read(document, report);
  // Services are looked at although something beside them is broken: every fault is told at once.
  const at = fieldOf(document, "services");
  const found = raw?.services ?? (at && services.read(at, report)) ?? new Map<string, Placed<RawService>>();
  if (at?.fields?.size === 0) report.add(at, "Expected at least one service, got none.");
  const networks = withNames(raw?.networks);
  if (networks.length === 0) networks.push({ name: defaultNetwork });
  const [first = { name: defaultNetwork }] = networks;
  const general = { network: first.name, ...(raw?.drift !== undefined && { drift: raw.drift }) };
  const drafts = [...found].map(([name, one]): ServiceDraft => {
    return { at: one.at, raw: one.value, service: compileService(name, one.value, general) };
  });
  const declaration: Declaration = {
    name: raw?.name ?? "",
    services: drafts.map((draft) => draft.service),
    networks,
    volumes: withNames(raw?.volumes),
    // What is broken beside the services makes no faults of theirs.
    isTogether: (fieldOf(document, "together")?.json ?? true) === true,
    labels: raw?.labels ?? {},
  };
  checkEnvironment(declaration, drafts, document, report);
  return raw && declaration;
}

function withNames<T extends object>(found: Map<string, T> | undefined): (T & { name: string })[] {
  return [...(found ?? [])].map(([name, one]) => ({ name, ...one }));
}
