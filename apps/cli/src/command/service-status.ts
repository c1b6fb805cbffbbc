import { toJson } from "@bufbuild/protobuf";
import { type Service, ServiceUsageSchema } from "@drover/proto/drover/environment";
import { defineCommand } from "../command.ts";
import { serviceJson } from "../environment-view.ts";
import { findEnvironment, findServices } from "../find-service.ts";
import { flagOption } from "../option.ts";
import { cutNotes, rejectionLines, serviceLines, serviceTable } from "../service-view.ts";

/** `drover service status` */
export const serviceStatus = defineCommand({
  name: "service status",
  summary: "Show the replicas of services: state, node, ports, restarts; with --usage what they use.",
  positionals: [
    { name: "ENVIRONMENT", doc: "The environment." },
    { name: "SERVICE", doc: "Its services; none named: all.", isOptional: true, isRepeatable: true },
  ],
  options: { usage: flagOption({ doc: "Measure processor, memory and network now." }) },
  examples: [
    { line: "drover service status shop", meaning: "All services of an environment" },
    { line: "drover service status shop redis --usage", meaning: "What Redis uses, too" },
  ],
  async run(context, { positionals: [name = "", ...names], options }) {
    const { client, output, signal } = context;
    const environment = await findEnvironment(context, name);
    const services = findServices(environment, names);
    const request = { environment: name, services: names };
    const usage = options.usage ? (await client.environments.getServiceUsage(request, { signal })).usage : undefined;
    if (output.isJson) {
      const of = ({ name: service }: Service) => usage?.filter((one) => one.service === service);
      output.json(
        services.map((service) => ({
          ...serviceJson(service),
          ...(usage && {
            usage: of(service)?.map((one) => toJson(ServiceUsageSchema, one, { alwaysEmitImplicit: true })),
          }),
        })),
      );
      return 0;
    }
    const lines = serviceLines(services);
    const table = serviceTable(output, lines, { nowMs: Date.now(), ...(usage && { usage }) });
    for (const line of [...table, ...cutNotes(table, lines), ...rejectionLines({ services }, output)])
      output.line(line);
    return 0;
  },
});
