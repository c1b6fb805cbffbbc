/** Where a parser is in its text, and the first thing that it could not read. */
export interface TextCursor {
  readonly text: string;
  position: number;
  fault?: { position: number; message: string };
}

/** Notes what was expected here, unless an earlier fault is noted already. */
export function fail(cursor: TextCursor, expected: string): undefined {
  const { position, text } = cursor;
  const found =
    position < text.length
      ? JSON.stringify(String.fromCodePoint(text.codePointAt(position) ?? 0))
      : "the end of the text";
  cursor.fault ??= { position, message: `expected ${expected}, got ${found}` };
}

/** Moves over what the sticky pattern matches here and returns it; undefined where it does not match. */
export function take(cursor: TextCursor, pattern: RegExp): string | undefined {
  pattern.lastIndex = cursor.position;
  const found = pattern.exec(cursor.text)?.[0];
  cursor.position += found?.length ?? 0;
  return found;
}

/** Whether the sticky pattern matches here. */
export function isAt(cursor: TextCursor, pattern: RegExp): boolean {
  pattern.lastIndex = cursor.position;
  return pattern.test(cursor.text);
}
