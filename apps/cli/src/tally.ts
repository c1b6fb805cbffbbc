import type { Context } from "./command.ts";
import { groupDigits } from "./progress.ts";

/** What became of one line of a file. */
export interface Verdict {
  line: number;
  id?: string;
  verdict: "created" | "repeated" | "refused";
  fault?: string;
}

/** Keeps count of the verdicts, and tells them. */
export interface Tally {
  add(verdict: Verdict): void;
  count(): number;
  refusals(): number;
  ids(): string[];
  remark(text: string): void;
  /** Says the sum, and the faults. */
  end(): void;
}

const shownFaults = 50;
const shownVerdicts = 50;

/** A program gets every verdict as it comes, a person the first ones once all is done. */
export function createTally({ output }: Pick<Context, "output">): Tally {
  const counts = { created: 0, repeated: 0, refused: 0 };
  const faults: Verdict[] = [];
  const ids: string[] = [];
  const isStreamed = output.isJson || !output.isTerminal;
  const kept: Verdict[] = [];
  return {
    add(verdict) {
      counts[verdict.verdict] += 1;
      if (verdict.verdict === "refused" && faults.length < shownFaults) faults.push(verdict);
      if (verdict.id !== undefined && verdict.verdict !== "refused") ids.push(verdict.id);
      if (output.isJson) output.jsonLine(verdict);
      else if (isStreamed) output.line([verdict.line, verdict.verdict, verdict.id ?? ""].join("\t").trimEnd());
      else if (kept.length < shownVerdicts) kept.push(verdict);
    },
    count: () => counts.created + counts.repeated + counts.refused,
    refusals: () => counts.refused,
    ids: () => ids,
    remark: (text) => output.note(text),
    end() {
      if (kept.length > 0) {
        const columns = [{ heading: "LINE", align: "right" as const }, { heading: "VERDICT" }, { heading: "ID" }];
        output.table(
          columns,
          kept.map(({ line, verdict, id = "" }) => [String(line), verdict, id]),
        );
        if (ids.length > kept.length) output.note("... --json, or a pipe, gets the verdict of every line.");
      }
      for (const { line, fault = "" } of faults) output.note(`  line ${line}: ${fault}`);
      if (counts.refused > faults.length)
        output.note(`  ... and ${groupDigits(counts.refused - faults.length)} more; --json lists them all.`);
      const repeated = counts.repeated > 0 ? `, ${groupDigits(counts.repeated)} had been before` : "";
      const refused = counts.refused > 0 ? `, ${groupDigits(counts.refused)} refused` : "";
      output.note(`${groupDigits(counts.created)} submitted${repeated}${refused}.`);
    },
  };
}
