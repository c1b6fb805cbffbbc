import { type DescField, type DescFile, type DescMethod, ScalarType } from "@bufbuild/protobuf";

/** Messages as "field number type" each, to compare with what clients were generated from. */
export function wireMessages(...files: readonly DescFile[]): Record<string, string[]> {
  const messages = files.flatMap((file) => file.messages);
  return Object.fromEntries(messages.map((message) => [message.name, message.fields.map(wireField)]));
}

/** A call as "Name Request Response". */
export function wireMethod({ name, input, output, methodKind }: DescMethod): string {
  const takes = methodKind === "bidi_streaming" || methodKind === "client_streaming" ? "stream " : "";
  const gives = methodKind === "bidi_streaming" || methodKind === "server_streaming" ? "stream " : "";
  return `${name} ${takes}${input.name} ${gives}${output.name}`;
}

function wireField(field: DescField): string {
  return `${field.name} ${field.number} ${typeOf(field)}`;
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case "scalar":
      return scalar(field.scalar);
    case "message":
      return field.message.name;
    case "enum":
      return field.enum.name;
    case "list":
      return `repeated ${field.listKind === "scalar" ? scalar(field.scalar) : nameOf(field)}`;
    case "map":
      return `map<${scalar(field.mapKey)},${field.mapKind === "scalar" ? scalar(field.scalar) : nameOf(field)}>`;
  }
}

function nameOf({ message, enum: words }: DescField): string {
  return message?.name ?? words?.name ?? "";
}

function scalar(type: ScalarType): string {
  return ScalarType[type].toLowerCase();
}
