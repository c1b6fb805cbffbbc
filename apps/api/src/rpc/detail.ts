import { create, createFileRegistry } from "@bufbuild/protobuf";
import type { DescMessage } from "@bufbuild/protobuf";
import { FieldDescriptorProto_Label, FieldDescriptorProto_Type, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { file_google_protobuf_duration } from "@bufbuild/protobuf/wkt";

/** What a ConnectError carries besides its code and sentence. */
export interface ErrorDetail {
  desc: DescMessage;
  value: Record<string, unknown>;
}

/** Which fields of the request are wrong, as google.rpc.BadRequest. */
export function badRequest(fields: readonly { field: string; message: string }[]): ErrorDetail {
  const fieldViolations = fields.map(({ field, message }) => ({
    $typeName: "google.rpc.BadRequest.FieldViolation",
    field,
    description: message,
  }));
  return { desc: badRequestDesc, value: { fieldViolations } };
}

/** When to try again, as google.rpc.RetryInfo. */
export function retryInfo(retryAfterMs: number): ErrorDetail {
  const seconds = BigInt(Math.floor(retryAfterMs / 1000));
  const nanos = Math.round((retryAfterMs % 1000) * 1e6);
  return { desc: retryInfoDesc, value: { retryDelay: { $typeName: "google.protobuf.Duration", seconds, nanos } } };
}

/** The reason as one word, as google.rpc.ErrorInfo. */
export function errorInfo(reason: string): ErrorDetail {
  return { desc: errorInfoDesc, value: { reason, domain: "drover" } };
}

// The three messages of google/rpc/error_details.proto that are used here, so that any gRPC client can read them.
const { STRING, MESSAGE } = FieldDescriptorProto_Type;
const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [
      file_google_protobuf_duration.proto,
      {
        name: "google/rpc/error_details.proto",
        package: "google.rpc",
        syntax: "proto3",
        dependency: ["google/protobuf/duration.proto"],
        messageType: [
          {
            name: "BadRequest",
            field: [
              {
                ...fieldOf("field_violations", 1, MESSAGE, ".google.rpc.BadRequest.FieldViolation"),
                label: FieldDescriptorProto_Label.REPEATED,
              },
            ],
            nestedType: [
              { name: "FieldViolation", field: [fieldOf("field", 1, STRING), fieldOf("description", 2, STRING)] },
            ],
          },
          { name: "RetryInfo", field: [fieldOf("retry_delay", 1, MESSAGE, ".google.protobuf.Duration")] },
          { name: "ErrorInfo", field: [fieldOf("reason", 1, STRING), fieldOf("domain", 2, STRING)] },
        ],
      },
    ],
  }),
);
const badRequestDesc = messageOf("google.rpc.BadRequest");
const retryInfoDesc = messageOf("google.rpc.RetryInfo");
const errorInfoDesc = messageOf("google.rpc.ErrorInfo");

function fieldOf(name: string, number: number, type: FieldDescriptorProto_Type, typeName = "") {
  const jsonName = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return { name, jsonName, number, type, typeName, label: FieldDescriptorProto_Label.OPTIONAL };
}

function messageOf(typeName: string): DescMessage {
  const desc = registry.getMessage(typeName);
  if (desc === undefined) throw new Error(`Expected ${typeName} in the descriptor above, got nothing.`);
  return desc;
}
