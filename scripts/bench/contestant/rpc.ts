import { Agent } from "node:http";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { TaskService } from "../../../proto/gen/drover/v1/task_pb.ts";
import type { Contestant, Job } from "../contestant.ts";

/** One SubmitTask a job, over gRPC (h2c) or Connect JSON (HTTP/1.1). The URL is that of a server, not of a database. */
export function createRpcContestant(protocol: "grpc" | "connect"): Contestant {
  return {
    version: () => "",
    settings: protocol === "grpc" ? "gRPC, one connection" : "Connect JSON over HTTP/1.1, keep-alive",
    open: "select 0 as open",
    prepare: () => Promise.resolve(),
    produce(baseUrl) {
      const client = createClient(TaskService, transport(protocol, baseUrl));
      const toTask = ({ index, sentAt }: Job) => ({
        type: "noop",
        payload: {
          kind: {
            case: "structValue" as const,
            value: {
              fields: {
                index: { kind: { case: "numberValue" as const, value: index } },
                sentAt: { kind: { case: "numberValue" as const, value: sentAt } },
              },
            },
          },
        },
      });
      return Promise.resolve({
        submit: (job) => client.submitTask({ task: toTask(job) }),
        submitAll: (jobs) => client.submitTasks({ tasks: jobs.map(toTask) }),
        stop: () => Promise.resolve(),
      });
    },
    work: () => Promise.reject(new Error("this contestant only submits")),
  };
}

function transport(protocol: "grpc" | "connect", baseUrl: string): Transport {
  return protocol === "grpc"
    ? createGrpcTransport({ baseUrl })
    : createConnectTransport({
        baseUrl,
        httpVersion: "1.1",
        nodeOptions: { agent: new Agent({ keepAlive: true, maxSockets: 64 }) },
      });
}
