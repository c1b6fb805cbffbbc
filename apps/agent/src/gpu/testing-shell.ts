/** A command of sh that prints a text as it is. */
export function print(text: string): string {
  return `printf '%s\\n' ${quote(text)}`;
}

/** A text as one word of sh. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
