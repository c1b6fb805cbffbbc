import { EnvManagerService, file_env_manager_v1_env_manager as file } from "@drover/proto/env_manager/env_manager";
import { describe, expect, it } from "vitest";
import { wireMessages, wireMethod } from "../../testing-wire.ts";

// What deployed clients of env_manager.v1 were generated from: field, number, type. Not to be changed, only added to.
const messages: Record<string, string[]> = {
  StartServicesRequest: ["service_names 1 repeated string", "parallel 2 bool", "overrides 3 map<string,string>"],
  ServiceStatusUpdate: ["service_name 1 string", "status 2 string", "message 3 string", "progress 4 int32"],
  StopServicesRequest: ["service_names 1 repeated string", "timeout_seconds 2 int32"],
  StopServicesResponse: ["success 1 bool", "service_results 2 map<string,string>"],
  RestartServiceRequest: ["service_name 1 string", "timeout_seconds 2 int32"],
  RestartServiceResponse: ["success 1 bool", "message 2 string"],
  GetServicesStatusRequest: ["service_names 1 repeated string"],
  ServicesStatusResponse: ["services 1 map<string,ServiceStatus>"],
  ServiceStatus: [
    "name 1 string",
    "status 2 string",
    "container_id 3 string",
    "ports 4 repeated int32",
    "health_checks 5 map<string,string>",
    "started_at 6 int64",
    "resource_usage 7 ResourceUsage",
  ],
  ResourceUsage: [
    "cpu_percent 1 double",
    "memory_bytes 2 int64",
    "network_rx_bytes 3 int64",
    "network_tx_bytes 4 int64",
  ],
  StreamHealthRequest: ["service_names 1 repeated string", "interval_seconds 2 int32"],
  HealthUpdate: [
    "service_name 1 string",
    "healthy 2 bool",
    "message 3 string",
    "timestamp 4 int64",
    "details 5 map<string,string>",
  ],
  GetResourceAvailabilityRequest: ["workload_class 1 string"],
  ResourceAvailabilityResponse: ["available 1 bool", "capacity 2 int32", "in_use 3 int32", "hardware 4 HardwareInfo"],
  HardwareInfo: ["cpu_cores 1 int32", "memory_bytes 2 int64", "gpus 3 repeated GPU"],
  GPU: ["index 1 int32", "name 2 string", "memory_bytes 3 int64", "utilization_percent 4 double"],
  ExecuteTaskRequest: [
    "task_id 1 string",
    "workload_class 2 string",
    "payload 3 map<string,string>",
    "timeout_seconds 4 int32",
  ],
  ExecuteTaskResponse: ["success 1 bool", "result 2 map<string,string>", "error 3 string", "latency_ms 4 double"],
  PullImagesRequest: ["image_names 1 repeated string"],
  ImagePullProgress: [
    "image_name 1 string",
    "status 2 string",
    "current 3 int64",
    "total 4 int64",
    "progress_percent 5 int32",
  ],
  StreamLogsRequest: ["service_name 1 string", "follow 2 bool", "tail 3 int32", "since_timestamp 4 int64"],
  LogEntry: [
    "service_name 1 string",
    "container_id 2 string",
    "stream 3 string",
    "message 4 string",
    "timestamp 5 int64",
  ],
  // Added: its guide prints the call, and no server of old had it.
  GetServiceStatusRequest: ["service_name 1 string"],
};

const methods = [
  "StartServices StartServicesRequest stream ServiceStatusUpdate",
  "StopServices StopServicesRequest StopServicesResponse",
  "RestartService RestartServiceRequest RestartServiceResponse",
  "GetServicesStatus GetServicesStatusRequest ServicesStatusResponse",
  "GetServiceStatus GetServiceStatusRequest ServiceStatus",
  "StreamHealth StreamHealthRequest stream HealthUpdate",
  "GetResourceAvailability GetResourceAvailabilityRequest ResourceAvailabilityResponse",
  "ExecuteTask ExecuteTaskRequest ExecuteTaskResponse",
  "PullImages PullImagesRequest stream ImagePullProgress",
  "StreamLogs StreamLogsRequest stream LogEntry",
];

describe("env_manager.v1", () => {
  it("has exactly the messages, fields, numbers and types that its clients were generated from", () => {
    expect(wireMessages(file)).toEqual(messages);
  });

  it("serves exactly the calls that its clients make, under the same names", () => {
    expect(EnvManagerService.typeName).toBe("env_manager.v1.EnvManagerService");
    expect(EnvManagerService.methods.map(wireMethod)).toEqual(methods);
  });

  it("uses proto3 without explicit presence, so that zero values are left off the wire", () => {
    const fields = file.messages.flatMap((message) => message.fields).filter((field) => field.fieldKind === "scalar");
    expect(fields.length).toBeGreaterThan(30);
    expect(fields.filter((field) => field.proto.proto3Optional)).toEqual([]);
    expect(file.proto.syntax).toBe("proto3");
  });
});
