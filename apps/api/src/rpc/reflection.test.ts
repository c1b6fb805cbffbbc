import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { TaskService } from "@drover/proto/drover/task";
import { ServerReflection } from "@drover/proto/grpc/reflection/v1/reflection";
import type { ServerReflectionResponse } from "@drover/proto/grpc/reflection/v1/reflection";
import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServerReflectionRequestSchema } from "@drover/proto/grpc/reflection/v1/reflection";
import { expect, it } from "vitest";
import { registerReflection } from "./reflection.ts";

type Question = MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"];

const transport = createRouterTransport((router) => registerReflection(router, [OrchestratorService, TaskService]));

async function ask(question: NonNullable<Question>): Promise<ServerReflectionResponse["messageResponse"]> {
  async function* requests() {
    yield { messageRequest: question };
  }
  for await (const { messageResponse } of createClient(ServerReflection, transport).serverReflectionInfo(requests())) {
    return messageResponse;
  }
  throw new Error("Expected an answer, got none.");
}

async function askFiles(question: NonNullable<Question>): Promise<string[]> {
  const { case: kind, value } = await ask(question);
  if (kind !== "fileDescriptorResponse") return [String(kind)];
  return value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

it("lists the services", async () => {
  expect((await ask({ case: "listServices", value: "" })).value).toMatchObject({
    service: [{ name: "orchestrator.v1.OrchestratorService" }, { name: "drover.v1.TaskService" }],
  });
});

it.each(["drover.v1.TaskService", "drover.v1.TaskService.SubmitTask", "drover.v1.Execution", "drover.v1.TaskState"])(
  "finds the file of %s, with all that it imports",
  async (value) => {
    expect(await askFiles({ case: "fileContainingSymbol", value })).toEqual([
      "drover/v1/task.proto",
      "buf/validate/validate.proto",
      "google/protobuf/descriptor.proto",
      "google/protobuf/duration.proto",
      "google/protobuf/field_mask.proto",
      "google/protobuf/timestamp.proto",
      "google/protobuf/struct.proto",
    ]);
  },
);

it("finds files by name and by extension", async () => {
  const name = "orchestrator/v1/orchestrator.proto";
  expect(await askFiles({ case: "fileByFilename", value: name })).toEqual([name]);
  const extension = { containingType: "google.protobuf.FieldOptions", extensionNumber: 1159 };
  const [file] = await askFiles({ case: "fileContainingExtension", value: extension });
  expect(file).toBe("buf/validate/validate.proto");
  const numbers = await ask({ case: "allExtensionNumbersOfType", value: extension.containingType });
  expect(numbers.value).toMatchObject({ extensionNumber: [1159, 1160] });
});

it.each([
  { case: "fileContainingSymbol", value: "drover.v1.Nothing" },
  { case: "fileByFilename", value: "nothing.proto" },
  { case: "allExtensionNumbersOfType", value: "drover.v1.Nothing" },
] as const)("answers that it has no $value", async (question) => {
  expect((await ask(question)).value).toMatchObject({
    errorCode: 5,
    errorMessage: expect.stringContaining(question.value),
  });
});
