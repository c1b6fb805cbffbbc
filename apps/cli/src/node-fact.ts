import { formatSize } from "./size.ts";

/** What a node told of its host, for people: disk_free_bytes=78372122624 as Disk free, 73 GiB. */
export function factRow([name, value]: [string, string]): [string, string] {
  const [, stem = name, unit = ""] = /^(.+)_(bytes|mib)$/.exec(name) ?? [];
  const words = stem.split("_").map((word) => capitals[word] ?? word);
  const label = words.join(" ");
  const bytes = unit === "mib" ? 2 ** 20 : 1;
  // Those of several GPUs stand in one fact.
  const parts = value
    .split(",")
    .map((part) => (unit === "" || !/^\d+$/.test(part) ? part : formatSize(Number(part) * bytes)));
  return [label.charAt(0).toUpperCase() + label.slice(1), parts.join(unit === "" ? "," : ", ")];
}

const capitals: Readonly<Record<string, string>> = {
  api: "API",
  cpu: "CPU",
  gpu: "GPU",
  os: "OS",
  arch: "architecture",
  uuids: "UUIDs",
};
