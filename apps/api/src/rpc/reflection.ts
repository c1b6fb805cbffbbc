import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { toBinary } from "@bufbuild/protobuf";
import type { DescExtension, DescFile, DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import type { ConnectRouter } from "@connectrpc/connect";
import { ServerReflection } from "@drover/proto/grpc/reflection/v1/reflection";
import type { ServerReflectionRequest } from "@drover/proto/grpc/reflection/v1/reflection";
import { ServerReflection as ServerReflectionAlpha } from "@drover/proto/grpc/reflection/v1alpha/reflection";
import type { ServerReflectionRequest as AlphaRequest } from "@drover/proto/grpc/reflection/v1alpha/reflection";

type Question = (ServerReflectionRequest | AlphaRequest)["messageRequest"];

/** Serves reflection v1 and v1alpha, so that grpcurl and `buf curl` list and call the services without a schema. */
export function registerReflection(router: ConnectRouter, services: readonly DescService[]): void {
  const index = createIndex(services);
  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const originalRequest of requests) {
        const messageResponse = answer(index, originalRequest.messageRequest);
        yield { validHost: originalRequest.host, originalRequest, messageResponse };
      }
    },
  });
  router.service(ServerReflectionAlpha, {
    async *serverReflectionInfo(requests) {
      for await (const originalRequest of requests) {
        const messageResponse = answer(index, originalRequest.messageRequest);
        yield { validHost: originalRequest.host, originalRequest, messageResponse };
      }
    },
  });
}

interface Index {
  services: readonly DescService[];
  fileByName: Map<string, DescFile>;
  /** Messages, enums, extensions, services and methods by full name. */
  fileBySymbol: Map<string, DescFile>;
  extensions: DescExtension[];
}

function createIndex(services: readonly DescService[]): Index {
  const index: Index = { services, fileByName: new Map(), fileBySymbol: new Map(), extensions: [] };
  for (const service of services) addFile(index, service.file);
  return index;
}

function addFile(index: Index, file: DescFile): void {
  if (index.fileByName.has(file.proto.name)) return;
  index.fileByName.set(file.proto.name, file);
  for (const type of nestedTypes(file)) {
    index.fileBySymbol.set(type.typeName, file);
    if (type.kind === "extension") index.extensions.push(type);
    if (type.kind !== "service") continue;
    for (const method of type.methods) index.fileBySymbol.set(`${type.typeName}.${method.name}`, file);
  }
  for (const dependency of file.dependencies) addFile(index, dependency);
}

function answer(index: Index, question: Question) {
  switch (question.case) {
    case "listServices":
      return {
        case: "listServicesResponse" as const,
        value: { service: index.services.map(({ typeName }) => ({ name: typeName })) },
      };
    case "fileByFilename":
      return files(index.fileByName.get(question.value), `file ${question.value}`);
    case "fileContainingSymbol":
      return files(index.fileBySymbol.get(question.value), `symbol ${question.value}`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = question.value;
      const found = extensionsOf(index, containingType).find(({ number }) => number === extensionNumber);
      return files(found?.file, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = extensionsOf(index, question.value).map(({ number }) => number);
      if (extensionNumber.length === 0 && !index.fileBySymbol.has(question.value))
        return notFound(`type ${question.value}`);
      return {
        case: "allExtensionNumbersResponse" as const,
        value: { baseTypeName: question.value, extensionNumber },
      };
    }
    case undefined:
      return fault(Code.InvalidArgument, "Expected one of the questions of server reflection, got none.");
  }
}

function extensionsOf(index: Index, typeName: string): DescExtension[] {
  return index.extensions.filter(({ extendee }) => extendee.typeName === typeName);
}

// The file with all that it imports, in one answer: clients need not ask again for each import.
function files(file: DescFile | undefined, asked: string) {
  if (file === undefined) return notFound(asked);
  const closure = new Set<DescFile>();
  const add = (wanted: DescFile): void => {
    if (closure.has(wanted)) return;
    closure.add(wanted);
    wanted.dependencies.forEach(add);
  };
  add(file);
  const fileDescriptorProto = [...closure].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto } };
}

function notFound(asked: string) {
  return fault(Code.NotFound, `This server has no ${asked}.`);
}

function fault(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}
