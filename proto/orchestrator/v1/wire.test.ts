import { type DescField, ScalarType } from "@bufbuild/protobuf";
import {
  file_orchestrator_v1_orchestrator as file,
  OrchestratorService,
} from "@drover/proto/orchestrator/orchestrator";
import { describe, expect, it } from "vitest";

// What deployed clients of orchestrator.v1 were generated from: field, number, type. Not to be changed, only added to.
const messages: Record<string, string[]> = {
  SubmitTaskRequest: [
    "id 1 string",
    "class 2 string",
    "payload 3 map<string,string>",
    "priority 4 int32",
    "workflow_id 5 string",
  ],
  SubmitTaskResponse: ["success 1 bool", "task_id 2 string", "error 3 string"],
  GetTaskStatusRequest: ["task_id 1 string"],
  GetTaskStatusResponse: ["task_id 1 string", "status 2 string", "result 3 map<string,string>", "error 4 string"],
  StreamTaskResultsRequest: ["task_ids 1 repeated string", "include_completed 2 bool"],
  TaskResult: [
    "task_id 1 string",
    "status 2 string",
    "result 3 map<string,string>",
    "error 4 string",
    "duration_ms 5 double",
    "completed_at 6 int64",
  ],
  CreateWorkflowRequest: ["id 1 string", "name 2 string", "description 3 string", "spec 4 bytes"],
  CreateWorkflowResponse: ["success 1 bool", "workflow_id 2 string", "error 3 string"],
  StartWorkflowRunRequest: ["workflow_id 1 string", "idempotency_key 2 string", "input 3 map<string,string>"],
  StartWorkflowRunResponse: ["success 1 bool", "run_id 2 string", "error 3 string"],
  StreamWorkflowStatusRequest: ["run_id 1 string"],
  WorkflowStatusUpdate: [
    "run_id 1 string",
    "status 2 string",
    "current_step 3 string",
    "steps_completed 4 int32",
    "total_steps 5 int32",
    "output 6 map<string,string>",
    "error 7 string",
  ],
  GetMetricsRequest: ["metric_names 1 repeated string"],
  GetMetricsResponse: ["metrics 1 map<string,double>", "timestamp 2 int64"],
  StreamEventsRequest: ["event_types 1 repeated string", "since_timestamp 2 int64"],
  SystemEvent: ["event_type 1 string", "resource_id 2 string", "data 3 map<string,string>", "timestamp 4 int64"],
  HealthRequest: [],
  HealthResponse: ["healthy 1 bool", "version 2 string", "services 3 map<string,string>"],
};

const methods = [
  "SubmitTask SubmitTaskRequest SubmitTaskResponse",
  "GetTaskStatus GetTaskStatusRequest GetTaskStatusResponse",
  "StreamTaskResults StreamTaskResultsRequest stream TaskResult",
  "CreateWorkflow CreateWorkflowRequest CreateWorkflowResponse",
  "StartWorkflowRun StartWorkflowRunRequest StartWorkflowRunResponse",
  "StreamWorkflowStatus StreamWorkflowStatusRequest stream WorkflowStatusUpdate",
  "GetMetrics GetMetricsRequest GetMetricsResponse",
  "StreamEvents StreamEventsRequest stream SystemEvent",
  "Health HealthRequest HealthResponse",
];

describe("orchestrator.v1", () => {
  it("has exactly the messages, fields, numbers and types that its clients were generated from", () => {
    const found = file.messages.map((message) => [message.name, message.fields.map(describeField)]);
    expect(Object.fromEntries(found)).toEqual(messages);
  });

  it("serves exactly the calls that its clients make, under the same names", () => {
    expect(OrchestratorService.typeName).toBe("orchestrator.v1.OrchestratorService");
    const found = OrchestratorService.methods.map(({ name, input, output, methodKind }) => {
      expect(["unary", "server_streaming"], name).toContain(methodKind);
      return `${name} ${input.name} ${methodKind === "unary" ? "" : "stream "}${output.name}`;
    });
    expect(found).toEqual(methods);
  });

  it("uses proto3 without explicit presence, so that zero values are left off the wire", () => {
    const fields = file.messages.flatMap((message) => message.fields).filter((field) => field.fieldKind === "scalar");
    expect(fields.length).toBeGreaterThan(30);
    expect(fields.filter((field) => field.proto.proto3Optional)).toEqual([]);
    expect(file.proto.syntax).toBe("proto3");
  });
});

function describeField(field: DescField): string {
  return `${field.name} ${field.number} ${typeOf(field)}`;
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case "scalar":
      return scalar(field.scalar);
    case "list":
      return `repeated ${field.listKind === "scalar" ? scalar(field.scalar) : field.listKind}`;
    case "map":
      return `map<${scalar(field.mapKey)},${field.mapKind === "scalar" ? scalar(field.scalar) : field.mapKind}>`;
    default:
      return field.fieldKind;
  }
}

function scalar(type: ScalarType): string {
  return ScalarType[type].toLowerCase();
}
