import type { ServiceMount } from "@drover/domain/environment/declaration";
import { byKind, record } from "@drover/document/shape/record";
import { flag, mapped, refuse, text, type Shape } from "@drover/document/shape/shape";
import { size } from "@drover/document/shape/unit";
import { absolutePath, dockerName } from "./scalar.ts";

const expected = 'a mount, such as "data:/var/lib/data", "/srv/models:/models:ro" or {tmpfs: /scratch, size: 64M}';

/** What is mounted into the container: a named volume, a folder of the node, or memory. */
export function mount(): Shape<ServiceMount> {
  return byKind<ServiceMount>({
    text: mapped(
      text({ expected }),
      (written, at, report) => readMount(written) ?? refuse(at, report, expected, hintFor(written)),
    ),
    object: mapped(mountRecord, (raw, at, report) => mountOf(raw) ?? refuseRecord(raw, at, report)),
  });
}

type RawMount = Partial<Record<"volume" | "hostPath" | "tmpfs" | "mountPath", string>> & {
  readOnly?: boolean;
  size?: number;
};

const mountRecord = record({
  name: "a mount",
  optional: {
    volume: text(dockerName),
    hostPath: absolutePath(),
    tmpfs: absolutePath(),
    mountPath: absolutePath(),
    readOnly: flag(),
    size: size(),
  },
});

function readMount(written: string): ServiceMount | undefined {
  const [, source = "", mountPath = "", mode] = /^([^:\0]+):(\/[^:\0]*)(?::(ro|rw))?$/.exec(written.trim()) ?? [];
  const isReadOnly = mode === "ro";
  if (source.startsWith("/")) return { kind: "bind", hostPath: source, mountPath, isReadOnly };
  return dockerName.pattern.test(source) ? { kind: "volume", volume: source, mountPath, isReadOnly } : undefined;
}

function mountOf({ volume, hostPath, tmpfs, mountPath, readOnly, size: sizeBytes }: RawMount) {
  const sources = [volume, hostPath, tmpfs].filter((source) => source !== undefined);
  if (sources.length !== 1) return undefined;
  if (tmpfs !== undefined) {
    if (mountPath !== undefined || readOnly !== undefined) return undefined;
    return { kind: "tmpfs" as const, mountPath: tmpfs, ...(sizeBytes === undefined ? {} : { sizeBytes }) };
  }
  if (mountPath === undefined || sizeBytes !== undefined) return undefined;
  const target = { mountPath, isReadOnly: readOnly ?? false };
  if (volume !== undefined) return { kind: "volume" as const, volume, ...target };
  return hostPath === undefined ? undefined : { kind: "bind" as const, hostPath, ...target };
}

/** A part that is broken itself has been told, and then nothing else is wrong with the whole. */
function refuseRecord(raw: RawMount, ...[at, report]: Parameters<Shape<ServiceMount>["read"]>): undefined {
  if (Object.keys(raw).length < (at.fields?.size ?? 0)) return undefined;
  const kinds = "{volume, mountPath, readOnly}, {hostPath, mountPath, readOnly} or {tmpfs, size}";
  report.add(at, `Expected a mount that is ${kinds}, got ${Object.keys(raw).join(", ") || "nothing"}.`);
  return undefined;
}

function hintFor(written: string): string | undefined {
  if (/^[.~]/.test(written)) return "Write the path on the node in full: it is not known where this file lies there.";
  if (/^\/[^:]*$/.test(written)) return "Name a volume or a path of the node before it, or write {tmpfs: PATH}.";
  if (/:[^:/]+:/.test(written)) return "Write the path inside the container in full.";
  return undefined;
}
