import { Composer, Lexer, Parser, type CST, type Document } from "yaml";
import type { Report } from "./report.ts";

/** How deep lists and objects of a document may be nested. */
export const maxDepth = 100;
/** How many values a document may have, those that aliases copy included. */
export const maxValues = 300_000;
const tooMany = `Expected at most ${maxValues} values, got more.`;
export const tooDeep = `Expected at most ${maxDepth} levels of lists and objects, got more.`;

/** Parses one YAML 1.2 document; what is wrong with its syntax goes into the report. */
export function parseYaml(text: string, report: Report): Document.Parsed | undefined {
  // Composing goes down by calling itself: on a stack that is all but full, compiling a regular expression ends the
  // process, and nothing can catch that. So how deep it would go is known before.
  const read = readTokens(text);
  if ("offset" in read) {
    report.add({ path: [], span: { start: read.offset, end: read.offset + 1 } }, read.fault);
    return undefined;
  }
  const { tokens } = read;
  const size = measure(tokens);
  if (size.depth > maxDepth + 2 || size.values > maxValues) {
    const limit = size.depth > maxDepth + 2 ? tooDeep : tooMany;
    report.add({ path: [], span: { start: size.offset, end: size.offset + 1 } }, limit);
    return undefined;
  }
  // Keys are compared pair by pair in the library: ours are looked up instead.
  const composer = new Composer({ version: "1.2", prettyErrors: false, uniqueKeys: false, logLevel: "silent" });
  const documents = [...composer.compose(tokens, true, text.length)] as Document.Parsed[];
  const [document, second] = documents;
  if (second !== undefined) {
    const [start] = second.range;
    report.add({ path: [], span: { start, end: start + 1 } }, "Expected one YAML document, got a second one.", {
      hint: "Take out the line with ---, or put the documents into files of their own.",
    });
  }
  const broken = [...(document?.errors ?? []), ...(document?.warnings ?? [])];
  for (const { message, pos } of broken.slice(0, 20)) {
    report.add({ path: [], span: { start: pos[0], end: pos[1] } }, `Expected YAML or JSON: ${message}`);
  }
  return broken.length > 0 || second !== undefined ? undefined : document;
}

/** Tokens of at most two documents, as a tree; undefined, and where, as soon as they are nested too deep. */
function readTokens(text: string): { tokens: CST.Token[] } | { offset: number; fault: string } {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  const guard = createGuard();
  let documents = 0;
  for (const lexeme of new Lexer().lex(text)) {
    const fault = guard.faultOf(lexeme);
    if (fault !== undefined) return { offset: guard.offset(), fault };
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
      if (token.type === "document") documents += 1;
    }
    if (documents > 1 || tokens.length > 10_000) return { tokens };
  }
  for (const token of parser.end()) tokens.push(token);
  return { tokens };
}

const maxBlockColumn = 500;
const maxKeyColumn = 1100;

/**
 * The parser goes back up through all levels at once, by calling itself. Each level of a block takes at least a column,
 * each one of a flow a bracket: both are bounded here before, and measured exactly after.
 */
function createGuard(): { faultOf(lexeme: string): string | undefined; offset(): number } {
  let [offset, column, brackets, values, before] = [0, 0, 0, 0, ""];
  return {
    offset: () => offset,
    faultOf(lexeme) {
      // Marks of the lexer itself, which are not in the text.
      if (lexeme === "\u0002" || lexeme === "\u0018" || lexeme === "\u001f") return undefined;
      // Each would become an error of its own, and a mebibyte of them seconds.
      if (lexeme === "," && brackets > 0 && /^[,[{]$/.test(before)) return "Expected a value, got a comma.";
      if (/^[&!]/.test(lexeme) && before[0] === lexeme[0])
        return `Expected one ${lexeme[0] === "&" ? "anchor" : "tag"}, got a second one.`;
      if (/^["']/.test(lexeme) && /^["']/.test(before)) return "Expected a separator between two texts, got none.";
      if (lexeme === ",") values += 1;
      if (values > maxValues) return tooMany;
      // What stands on lines of their own is separated.
      if (lexeme.includes("\n") && /^["']/.test(before)) before = "";
      if (lexeme.trim() !== "") before = lexeme;
      if (lexeme === "[" || lexeme === "{") brackets += 1;
      else if (lexeme === "]" || lexeme === "}") brackets = Math.max(0, brackets - 1);
      const isBlock = brackets === 0 && (lexeme === "-" || lexeme === "?" || lexeme === ":");
      const isDeep = brackets > maxDepth || (isBlock && column > (lexeme === ":" ? maxKeyColumn : maxBlockColumn));
      if (isDeep) return tooDeep;
      offset += lexeme.length;
      const newline = lexeme.lastIndexOf("\n");
      column = newline === -1 ? column + lexeme.length : lexeme.length - newline - 1;
      return undefined;
    },
  };
}

/** Level by level, without recursion. */
function measure(tokens: readonly CST.Token[]): { depth: number; values: number; offset: number } {
  let [level, depth, values, offset]: [CST.Token[], number, number, number] = [[...tokens], 0, 0, 0];
  while (level.length > 0 && depth <= maxDepth + 2 && values <= maxValues) {
    depth += 1;
    values += level.length;
    offset = offsetOf(level[0]);
    level = level.flatMap(inside);
  }
  return { depth: depth - 1, values, offset };
}

function inside(token: CST.Token): CST.Token[] {
  if (token.type === "document") return token.value === undefined ? [] : [token.value];
  if (!("items" in token)) return [];
  return token.items.flatMap((item: CST.CollectionItem) => [item.key, item.value].filter((part) => part != null));
}

function offsetOf(token: CST.Token | undefined): number {
  return token !== undefined && "offset" in token ? token.offset : 0;
}
