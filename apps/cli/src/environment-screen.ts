import type { Environment } from "@drover/proto/drover/environment";
import { formatDuration } from "./duration.ts";
import { environmentStateCell, firstSentence, leadOf } from "./environment-view.ts";
import type { Output } from "./output.ts";
import { chooseShown, createScreen, type Screen } from "./screen.ts";
import { lineWord, noteOf, replicaName, serviceLines, serviceRanks, serviceTable, stateCell } from "./service-view.ts";
import type { Cell } from "./table.ts";
import { printable } from "./text-width.ts";

/** An environment while it changes: drawn in its place for a person, else each change in a line, or as JSON. */
export function showEnvironments(output: Output, toJson: (environment: Environment) => unknown): Screen<Environment> {
  if (output.isJson) return { show: (environment) => output.jsonLine(toJson(environment)), end: () => {} };
  if (!output.isTerminal) return { show: createEnvironmentLines(output), end: () => {} };
  const startedAt = performance.now();
  return createScreen<Environment>({
    output,
    render: (environment, { most }) => {
      const tookMs = performance.now() - startedAt;
      return renderEnvironment(environment, { output, most, tookMs, nowMs: Date.now() });
    },
  });
}

interface RenderOptions {
  output: Output;
  /** How many replicas are shown at most. */
  most: number;
  tookMs: number;
  nowMs: number;
}

function renderEnvironment(environment: Environment, { output, most, tookMs, nowMs }: RenderOptions): string[] {
  const { name, generation, services } = environment;
  const state = environmentStateCell(environment);
  const running = services.filter((one) => one.replicas > 0 && one.running >= one.replicas && !one.isStopped).length;
  const headline = [
    output.paint(name, "bold"),
    `generation ${generation}`,
    output.paint(state.text, state.color),
    `${running} of ${services.length} services run`,
    formatDuration(tookMs),
  ];
  const options = { most, noun: "replicas", wordOf: lineWord, ranks: serviceRanks };
  const { shown, hidden } = chooseShown(serviceLines(services), options);
  return [
    headline.join("  "),
    "",
    ...serviceTable(output, shown, { nowMs }),
    ...(hidden === undefined ? [] : [output.paint(hidden, "dim")]),
  ];
}

/** Says an environment in lines: once what it is, then each change of it and of its replicas. */
function createEnvironmentLines(output: Output): (environment: Environment) => void {
  const faces = new Map<string, string>();
  const say = (name: string, { text, color }: Cell, note: string) => {
    const time = new Date().toTimeString().slice(0, 8);
    const parts = [output.paint(time, "dim"), name, output.paint(text, color), printable(note)];
    output.line(parts.filter(Boolean).join("  "));
  };
  const isNews = (key: string, face: string) => {
    const before = faces.get(key);
    faces.set(key, face);
    return before !== face;
  };
  return (environment) => {
    for (const line of serviceLines(environment.services)) {
      const { service, replica } = line;
      const note = noteOf(line);
      // One that moves is there twice for a while.
      const key = `${service.name} ${replica?.number ?? ""} ${replica?.node ?? ""}`;
      if (isNews(key, `${lineWord(line)} ${newsOf(note)}`)) say(replicaName(line), stateCell(line), note);
    }
    const cell = environmentStateCell(environment);
    if (isNews("", cell.text)) say(environment.name, cell, leadOf(environment));
  };
}

/** How far a pull is moves all the time, and when it is tried again stands behind: neither is news. */
function newsOf(note: string): string {
  return firstSentence(note).replaceAll(/\d+(\.\d+)? ?(%|[kMGT]i?B|B|s|ms)(?!\w)/g, "");
}
