import { refuse, type Shape } from "@drover/document/shape/shape";

const host = String.raw`(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+(?=:\d))(?::\d{1,5})?`;
const part = String.raw`[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*`;
const reference = new RegExp(
  String.raw`^(?:${host}/)?${part}(?:/${part})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`,
);

/** Whether it is the reference of an image: `redis:7-alpine`, with a registry before it or a digest behind it. */
export function isImage(text: string): boolean {
  return text.length <= 512 && reference.test(text);
}

/** The reference of an image. */
export function image(): Shape<string> {
  return {
    schema: { type: "string", pattern: reference.source },
    read(value, report) {
      const { json } = value;
      if (typeof json === "string" && isImage(json)) return json;
      return refuse(value, report, "an image, such as redis:7-alpine, with or without @sha256:…", hintFor(json));
    },
  };
}

function hintFor(json: unknown): string | undefined {
  if (typeof json !== "string") return undefined;
  if (isImage(json.trim())) return "Take the blanks out.";
  if (/^https?:\/\//.test(json)) return "Take the https:// out.";
  if (isImage(json.replace(/^[^:@]+/, (name) => name.toLowerCase()))) return "Write the name in small letters.";
  if (/@sha256:/.test(json)) return "A digest has 64 digits: 0 to 9 and a to f.";
  return undefined;
}
