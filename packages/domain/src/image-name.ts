const host = String.raw`(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+(?=:\d))(?::\d{1,5})?`;
const part = String.raw`[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*`;

/** What the reference of an image looks like: `redis:7-alpine`, with a registry before it or a digest behind it. */
export const imageName: RegExp = new RegExp(
  String.raw`^(?:${host}/)?${part}(?:/${part})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`,
);

/** Whether it is the reference of an image; anything else could lead a call of the engine astray. */
export function isImage(text: string): boolean {
  return text.length <= 512 && imageName.test(text);
}
