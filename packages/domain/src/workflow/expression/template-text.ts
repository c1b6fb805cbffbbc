import { memoise } from "./expression-cache.ts";
import { parseExpressionAt } from "./expression.ts";
import type { ExpressionFault, ParsedExpression } from "./expression.ts";

/** A text with `${expression}` in it: what stands as it is, and what is evaluated, in order. */
export interface TemplateText {
  parts: readonly (string | ParsedExpression)[];
  faults: readonly ExpressionFault[];
}

const opening = /\$\$\{|\$\{/g;

/** Reads a text of a template, every fault at once, in linear time; offsets are those of the whole text. */
export const parseTemplateText: (text: string) => TemplateText = memoise(parse, { entries: 500, maxLength: 4000 });

function parse(text: string): TemplateText {
  const parts: (string | ParsedExpression)[] = [];
  const faults: ExpressionFault[] = [];
  let position = 0;
  for (let found = find(text, 0); found !== undefined; found = find(text, position)) {
    parts.push(text.slice(position, found.offset));
    if (found.isLiteral) {
      parts.push("${");
      position = found.end;
      continue;
    }
    const expression = parseExpressionAt(text, found.end, "}");
    const fault = "message" in expression ? expression : unclosed(text, found.offset, expression.end);
    if (fault !== undefined) faults.push(fault);
    if ("message" in expression) {
      const close = text.indexOf("}", expression.offset);
      position = close === -1 ? text.length : close + 1;
    } else {
      parts.push(expression);
      position = expression.end;
    }
  }
  parts.push(text.slice(position));
  return { parts: parts.filter((part) => part !== ""), faults };
}

function find(text: string, from: number): { offset: number; end: number; isLiteral: boolean } | undefined {
  opening.lastIndex = from;
  const mark = opening.exec(text);
  if (mark === null) return undefined;
  return { offset: mark.index, end: mark.index + mark[0].length, isLiteral: mark[0].length === 3 };
}

/** The expression is whole, but it ended with the text. */
function unclosed(text: string, offset: number, end: number): ExpressionFault | undefined {
  if (end > offset && text[end - 1] === "}") return undefined;
  const message = `expected "}" for the "\${" at position ${offset}, got the end of the text at position ${text.length}`;
  return { message, offset, length: text.length - offset };
}
