import { memoise } from "./expression-cache.ts";
import { parseNode } from "./expression-node.ts";
import type { ExpressionNode } from "./expression-node.ts";
import type { Reference } from "./reference.ts";

/** An expression that is well formed, with everything that it reads. */
export interface ParsedExpression {
  node: ExpressionNode;
  references: readonly Reference[];
}

/** Why a text is no expression, and where in it, in UTF-16 units. */
export interface ExpressionFault {
  message: string;
  offset: number;
  length: number;
}

/**
 * Reads an expression: in linear time, at most 100 levels deep, without ever running it.
 *
 * @example parseExpression("input.pages > 3 and not (state.language in input.languages)")
 */
export const parseExpression: (text: string) => ParsedExpression | ExpressionFault = memoise(
  (text) => parseExpressionAt(text, 0),
  { entries: 500, maxLength: 1000 },
);

/** Reads the expression that starts at a position and ends at the end of the text or at `close`; `end` is behind it. */
export function parseExpressionAt(
  text: string,
  position: number,
  close?: string,
): (ParsedExpression & { end: number }) | ExpressionFault {
  const { node, references, fault, end } = parseNode(text, position, close);
  return node === undefined || fault !== undefined
    ? (fault ?? { message: "expected an expression", offset: position, length: 0 })
    : { node, references, end };
}
