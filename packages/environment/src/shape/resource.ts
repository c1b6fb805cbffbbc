import type { GpuRequest, ServiceResources } from "@drover/domain/environment/declaration";
import { byKind, record } from "@drover/document/shape/record";
import { documented, mapped, number, refuse, text, word, type Read, type Shape } from "@drover/document/shape/shape";
import { size } from "@drover/document/shape/unit";
import { quote } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import type { Value } from "@drover/document/source/value";
import { present } from "../present.ts";

const mib = 1024 * 1024;

/** What each replica may use, and what is set aside for it. */
export function resources(): Shape<ServiceResources> {
  return mapped(resourceRecord, ({ cpu, memory, pids, shm, gpus }) =>
    present<ServiceResources>({
      cpuMillicores: cpu === undefined ? undefined : Math.max(1, Math.round(cpu * 1000)),
      memoryBytes: memory,
      pids,
      shmBytes: shm,
      gpus: gpus?.count === 0 ? undefined : gpus,
    }),
  );
}

const gpuRecord = record({
  name: "a request of GPUs",
  optional: {
    count: documented(number({ min: 1, max: 64, whole: true }), "How many; 1."),
    share: documented(
      word(["whole", "mig", "shared"]),
      "whole: nobody else uses them; mig: slices; shared: a place on a GPU that several use.",
    ),
    model: documented(text({ max: 100 }), "Part of the model's name, such as H100."),
    class: documented(text({ max: 100 }), "A class that the operator gave by the node label gpu-class."),
    memory: documented(size(), "At least so much each; of a shared GPU so much is set aside."),
    profile: documented(
      text({ pattern: /^(?:\d+c\.)?\d+g\.\d+gb(?:\+[a-z.]+)?$/, expected: "a MIG profile, such as 1g.10gb" }),
      "Of MIG slices.",
    ),
  },
});

const resourceRecord = record({
  name: "resources",
  optional: {
    cpu: documented(number({ above: 0, max: 1024 }), "Cores, such as 0.5."),
    memory: documented(
      mapped(size(), (bytes, at, report) =>
        bytes >= 6 * mib ? bytes : refuse(at, report, "at least 6M of memory, which is the least that Docker takes"),
      ),
      "Bytes, such as 512M.",
    ),
    pids: documented(number({ min: 1, max: 4_194_304, whole: true }), "Processes and threads."),
    shm: documented(size(), "Of /dev/shm, such as 1G."),
    gpus: documented(
      byKind<GpuRequest>({
        number: mapped(number({ min: 0, max: 64, whole: true }), (count): GpuRequest => ({ count, share: "whole" })),
        object: mapped(gpuRecord, compileGpus),
      }),
      "How many GPUs, or which.",
    ),
  },
});

function compileGpus(raw: Read<typeof gpuRecord>, at: Value, report: Report): GpuRequest {
  const { count = 1, share = raw.profile === undefined ? "whole" : "mig", model, profile, memory } = raw;
  if (profile !== undefined && share !== "mig")
    report.add(at.fields?.get("profile")?.key ?? at, `Expected a profile only with share: mig, got ${quote(share)}.`);
  return present<GpuRequest>({
    count,
    share,
    model,
    class: raw.class,
    memoryMib: memory && Math.ceil(memory / mib),
    profile,
  });
}
