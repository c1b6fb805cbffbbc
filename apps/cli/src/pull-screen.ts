import type { PullImagesResponse } from "@drover/proto/drover/node";
import type { Output } from "./output.ts";
import { chooseShown, createScreen, type Screen } from "./screen.ts";
import { formatSize } from "./size.ts";
import type { Cell, Color, Column } from "./table.ts";
import { printable } from "./text-width.ts";

/** How far each image is on each node, by node and image. */
export type Pulls = ReadonlyMap<string, PullImagesResponse>;

/** Pulls while they go on: a table for a person that is drawn in its place, else a line for each tenth. */
export function showPulls(output: Output): Screen<Pulls> {
  if (!output.isTerminal) return { show: createPullLines(output), end: () => {} };
  return createScreen<Pulls>({
    output,
    render(pulls, { most }) {
      const options = { most, noun: "pulls", wordOf: ({ status }: PullImagesResponse) => status, ranks };
      const { shown, hidden } = chooseShown(sorted(pulls), options);
      const rows = shown.map((pull) => [
        pull.node,
        pull.image,
        statusCell(pull),
        barText(pull),
        bytesText(pull),
        printable(pull.message),
      ]);
      const rest = hidden === undefined ? [] : [output.paint(hidden, "dim")];
      return [...output.tableLines(columns, rows), ...rest];
    },
  });
}

const ranks: Readonly<Record<string, number>> = { error: 0, extracting: 1, downloading: 1, complete: 3 };

const columns: Column[] = [
  { heading: "NODE" },
  { heading: "IMAGE", isFlexible: true },
  { heading: "STATE" },
  { heading: "PROGRESS" },
  { heading: "SIZE", align: "right" },
  { heading: "NOTE", isFlexible: true },
];

const barWidth = 20;

function barText({ status, percent }: PullImagesResponse): string {
  if (status === "error") return "";
  const share = status === "complete" ? 100 : Math.max(0, Math.min(100, percent));
  const full = Math.floor((share / 100) * barWidth);
  return `[${"#".repeat(full)}${"-".repeat(barWidth - full)}] ${String(share).padStart(3)} %`;
}

function bytesText({ currentBytes, totalBytes }: PullImagesResponse): string {
  if (totalBytes === 0n) return currentBytes === 0n ? "" : formatSize(Number(currentBytes));
  if (currentBytes === totalBytes) return formatSize(Number(totalBytes));
  return `${formatSize(Number(currentBytes))} of ${formatSize(Number(totalBytes))}`;
}

function statusCell({ status }: PullImagesResponse): Cell {
  const color = colors[status];
  return { text: status, ...(color && { color }) };
}

const colors: Readonly<Record<string, Color>> = {
  downloading: "blue",
  extracting: "blue",
  complete: "green",
  error: "red",
};

function sorted(pulls: Pulls): PullImagesResponse[] {
  return [...pulls.values()].toSorted((a, b) =>
    a.node === b.node ? (a.image < b.image ? -1 : 1) : a.node < b.node ? -1 : 1,
  );
}

function createPullLines(output: Output): (pulls: Pulls) => void {
  const faces = new Map<string, string>();
  return (pulls) => {
    for (const [key, pull] of pulls) {
      const { node, image, status, percent, message } = pull;
      const isUnderWay = status === "downloading" || status === "extracting";
      const face = `${status} ${isUnderWay ? Math.floor(percent / 10) : message}`;
      if (faces.get(key) === face) continue;
      faces.set(key, face);
      const time = new Date().toTimeString().slice(0, 8);
      const far = isUnderWay && percent > 0 ? `${percent} %` : "";
      const { text, color } = statusCell(pull);
      const parts = [time, node, image, output.paint(text, color), far, bytesText(pull), printable(message)];
      output.line(parts.filter(Boolean).join("  "));
    }
  };
}
