import { byKind, list } from "@drover/document/shape/record";
import { text, type Shape } from "@drover/document/shape/shape";
import type { Report } from "@drover/document/source/report";
import type { Value } from "@drover/document/source/value";
import { scalar } from "./scalar.ts";

/** A program and its arguments: a list, or a text that is split as a shell splits it. */
export function command(): Shape<string[]> {
  return byKind({ text: splitText(), list: list(scalar(), { min: 1, name: "a list of texts" }) });
}

/** Words of a command line, or what is wrong with it and where. */
export function splitCommand(line: string): Splitting {
  const splitting: Splitting = { words: [] };
  let word: string | undefined;
  for (let index = 0; index < line.length; index++) {
    const character = line[index] ?? "";
    const next = line[index + 1];
    if (character === "\\") {
      if (next === undefined) return { ...splitting, fault: { at: index, message: "a character behind the \\" } };
      word = next === "\n" ? word : (word ?? "") + next;
      index += 1;
    } else if (character === "'" || character === '"') {
      const quoted = readQuoted(line, index);
      if (quoted === undefined)
        return { ...splitting, fault: { at: index, message: `a second ${character}, which ends the text` } };
      if (character === '"' && splitting.expandsAt === undefined && expansion.test(quoted.raw))
        splitting.expandsAt = index;
      word = (word ?? "") + quoted.value;
      index = quoted.end;
    } else if (/\s/.test(character)) {
      if (word !== undefined) splitting.words.push(word);
      word = undefined;
    } else if (/[|&;<>]/.test(character)) {
      return { ...splitting, fault: { at: index, message: `a command without ${character}, since no shell runs it` } };
    } else {
      if (splitting.expandsAt === undefined && expansion.test(line.slice(index, index + 2)))
        splitting.expandsAt = index;
      word = (word ?? "") + character;
    }
  }
  return { ...splitting, words: word === undefined ? splitting.words : [...splitting.words, word] };
}

interface Splitting {
  words: string[];
  fault?: { at: number; message: string };
  /** Where something stands that a shell would replace, and nobody does here. */
  expandsAt?: number;
}

const expansion = /^`|^\$[A-Za-z_{(]|[^\\]\$[A-Za-z_{(]|[^\\]`/;

function splitText(): Shape<string[]> {
  const shape = text({ expected: "a command" });
  return {
    schema: shape.schema,
    read(value, report) {
      const line = shape.read(value, report);
      return line === undefined ? undefined : reportSplitting(splitCommand(line), value, report);
    },
  };
}

function reportSplitting({ words, fault, expandsAt }: Splitting, value: Value, report: Report): string[] | undefined {
  const hint = `Write [sh, -c, "..."] for a shell, or put it in single quotes.`;
  if (fault !== undefined) {
    report.addInside(value, { offset: fault.at, length: 1 }, `Expected ${fault.message}.`, { hint });
    return undefined;
  }
  if (expandsAt !== undefined)
    report.warn(value, "What a shell would replace in this command stays as it is: no shell runs it.", { hint });
  return words;
}

/** In double quotes a backslash stands for what is behind it where that means something there. */
function readQuoted(line: string, start: number): { value: string; raw: string; end: number } | undefined {
  const quote = line[start];
  let value = "";
  for (let index = start + 1; index < line.length; index++) {
    const character = line[index] ?? "";
    if (character === quote) return { value, raw: line.slice(start + 1, index), end: index };
    const escaped = line[index + 1];
    if (character === "\\" && quote === '"' && escaped !== undefined && /["\\$`\n]/.test(escaped)) {
      value += escaped === "\n" ? "" : escaped;
      index += 1;
    } else value += character;
  }
  return undefined;
}
