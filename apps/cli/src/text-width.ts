const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const marks = /\p{Mark}|\u200d/u;

/** How many columns of a terminal a text takes. */
export function textWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const char of text) width += marks.test(char) ? 0 : wide.test(char) ? 2 : 1;
  return width;
}

/** Cuts a text to a number of columns, with a mark where something is missing. */
export function cutText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let cut = "";
  let used = 1;
  for (const char of text) {
    used += textWidth(char);
    if (used > width) break;
    cut += char;
  }
  return `${cut}…`;
}

/** Makes control characters visible, so that what others wrote cannot move the cursor or break a line. */
export function printable(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (char) => escapes[char] ?? `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, "0")}`,
  );
}

const escapes: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
