import { imageName, isImage } from "@drover/domain/image-name";
import { refuse, type Shape } from "@drover/document/shape/shape";

/** The reference of an image. */
export function image(): Shape<string> {
  return {
    schema: { type: "string", pattern: imageName.source },
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
