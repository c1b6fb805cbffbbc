import { createHash } from "node:crypto";
import { toJson } from "@bufbuild/protobuf";
import { DroverError } from "@drover/domain/error";
import type { Execution } from "@drover/domain/execution";
import { canonicalJson } from "@drover/domain/json";
import { type RunEnv, type RunRequest, RunRequestSchema } from "@drover/proto/runner/runner";
import type { TaskDraft } from "../../operation/task-draft.ts";

/** A run as the task that it becomes: in class gpu where it asks for GPUs, else in cpu_short, tried once. */
export function runDraft(request: RunRequest): TaskDraft {
  const { jobId, runId, env } = request;
  const faults = faultsOf(request);
  if (env === undefined || faults.length > 0) throw refusal(faults);
  return {
    id: runId.trim() || undefined,
    class: (env.resources?.gpuCount ?? 0) > 0 ? "gpu" : "cpu_short",
    type: "",
    payload: {
      ...(jobId !== "" && { job_id: jobId }),
      ...(runId !== "" && { run_id: runId }),
      ...(request.inputs.length > 0 && {
        inputs: request.inputs.map(({ name, shape, dtype }) => ({ name, shape: shape.map(Number), dtype })),
      }),
    },
    execution: { executor: "docker", ...executionOf(env) },
    priority: 0,
    timeoutSeconds: env.hardTimeoutMs === 0n ? undefined : Math.ceil(Number(env.hardTimeoutMs) / 1000),
    // Who asks for a run decides about another one.
    retry: { maxAttempts: 1 },
    labels: jobId !== "" && jobId.length <= 200 ? { job_id: jobId } : undefined,
  };
}

/** The same for all runs that ask for the same, whatever their ids. */
export function cacheKey(request: RunRequest): string {
  const asked = canonicalJson(toJson(RunRequestSchema, { ...request, jobId: "", runId: "" }));
  return `sha256:${createHash("sha256").update(asked).digest("hex")}`;
}

const digestPattern = /^sha256:[0-9a-f]{64}$/;
const longestMs = 30n * 24n * 3_600_000n;

interface FieldFault {
  field: string;
  message: string;
}

function faultsOf({ runId, env }: RunRequest): FieldFault[] {
  const faults: FieldFault[] = [];
  const expect = (isRight: boolean, field: string, message: string) => {
    if (!isRight) faults.push({ field, message });
  };
  expect(runId.trim().length <= 200, "run_id", `expected at most 200 characters, got ${runId.trim().length}`);
  const { ociImage = "", argv = [], contentDigest = "", hardTimeoutMs = 0n } = env ?? {};
  expect(ociImage !== "", "env.oci_image", "expected an image, got nothing");
  expect((argv[0] ?? "") !== "", "env.argv", "expected a list that starts with the program, got nothing");
  expect(
    hardTimeoutMs <= longestMs,
    "env.hard_timeout_ms",
    `expected at most ${longestMs} (30 days), got ${hardTimeoutMs}`,
  );
  expect(
    contentDigest === "" || digestPattern.test(contentDigest),
    "env.content_digest",
    `expected sha256: and 64 hex digits, got ${JSON.stringify(contentDigest)}`,
  );
  const [, written] = ociImage.split("@");
  expect(
    contentDigest === "" || written === undefined || written === contentDigest,
    "env.content_digest",
    `expected the digest of the image, ${written}, or none, got ${contentDigest}`,
  );
  for (const [n, { hostPath, mountPath }] of (env?.mounts ?? []).entries()) {
    expect(hostPath.startsWith("/"), `env.mounts[${n}].host_path`, `expected an absolute path, got "${hostPath}"`);
    expect(mountPath.startsWith("/"), `env.mounts[${n}].mount_path`, `expected an absolute path, got "${mountPath}"`);
  }
  return faults;
}

function refusal(fields: FieldFault[]): DroverError {
  return new DroverError("invalid", `${fields.map(({ field, message }) => `${field}: ${message}`).join("; ")}.`, {
    fields,
  });
}

function executionOf({ ociImage, contentDigest, argv, env, mounts, resources }: RunEnv): Execution {
  const isPinned = contentDigest === "" || ociImage.includes("@");
  return {
    image: isPinned ? ociImage : `${ociImage}@${contentDigest}`,
    command: argv,
    ...(Object.keys(env).length > 0 && { env }),
    ...(mounts.length > 0 && {
      mounts: mounts.map(({ hostPath, mountPath, readOnly }) => ({ hostPath, mountPath, readOnly })),
    }),
    ...(resources && {
      resources: {
        ...(resources.cpuMillicores > 0 && { cpuMillicores: resources.cpuMillicores }),
        ...(resources.memBytes > 0n && { memoryBytes: Number(resources.memBytes) }),
        ...(resources.gpuCount > 0 && { gpuCount: resources.gpuCount }),
        ...(resources.gpuClass !== "" && { gpuClass: resources.gpuClass }),
      },
    }),
  };
}
