import type { ConnectRouter } from "@connectrpc/connect";
import type { Health } from "@drover/daemon/health";
import type { Metrics } from "@drover/daemon/metric";
import type { Wakeups } from "@drover/db/listen";
import { BudgetService } from "@drover/proto/drover/budget";
import { ClassService } from "@drover/proto/drover/class";
import { EnvironmentService } from "@drover/proto/drover/environment";
import { LimitService } from "@drover/proto/drover/limit";
import { NamespaceService } from "@drover/proto/drover/namespace";
import { NodeService } from "@drover/proto/drover/node";
import { RunService } from "@drover/proto/drover/run";
import { ScheduleService } from "@drover/proto/drover/schedule";
import { TaskService } from "@drover/proto/drover/task";
import { WorkerService } from "@drover/proto/drover/worker";
import { WorkflowService } from "@drover/proto/drover/workflow";
import { EnvManagerService } from "@drover/proto/env_manager/env_manager";
import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import { EnvRunner } from "@drover/proto/runner/runner";
import { envManagerService } from "./compat/env-manager/rpc.ts";
import { orchestratorService } from "./compat/orchestrator/rpc.ts";
import { envRunner } from "./compat/runner/rpc.ts";
import type { metrics } from "./metric.ts";
import type { Deps } from "./operation/context.ts";
import type { DefinitionCache } from "./operation/definition-cache.ts";
import type { SubmitTask } from "./operation/submit-task.ts";
import { budgetService } from "./rpc/budget.ts";
import { classService } from "./rpc/class.ts";
import { environmentService } from "./rpc/environment.ts";
import { type HealthSource, registerHealth } from "./rpc/health.ts";
import { imageRpc } from "./rpc/image.ts";
import { limitService } from "./rpc/limit.ts";
import { namespaceService } from "./rpc/namespace.ts";
import { nodeService } from "./rpc/node.ts";
import { registerReflection } from "./rpc/reflection.ts";
import { runService } from "./rpc/run.ts";
import { scheduleService } from "./rpc/schedule.ts";
import { serviceRpc } from "./rpc/service.ts";
import { taskService } from "./rpc/task.ts";
import type { Validation } from "./rpc/validate.ts";
import { workerService } from "./rpc/worker.ts";
import { workflowService } from "./rpc/workflow.ts";
import type { RunWatch } from "./watch/run.ts";
import type { TaskWatch } from "./watch/task.ts";

/** The services of the contract that this server speaks. */
export const services = [
  TaskService,
  ClassService,
  NamespaceService,
  NodeService,
  EnvironmentService,
  WorkerService,
  WorkflowService,
  RunService,
  ScheduleService,
  LimitService,
  BudgetService,
  OrchestratorService,
  EnvManagerService,
  EnvRunner,
] as const;

export interface RouteOptions {
  deps: Deps;
  submitTask: SubmitTask;
  watch: TaskWatch;
  runWatch: RunWatch;
  definitions: DefinitionCache;
  /** By which nodes that join are to reach the database. */
  nodeDatabaseUrl: string;
  /** Of which clients of the env-manager speak without naming it. */
  envManagerEnvironment?: string;
  wakeups: Wakeups;
  metrics: Metrics<typeof metrics>;
  health: Health;
  serving: HealthSource;
  validation: Validation;
}

/** Registers every RPC. */
export function registerRoutes(router: ConnectRouter, options: RouteOptions): void {
  const { deps, submitTask, watch, wakeups, serving, validation } = options;
  router.service(
    TaskService,
    taskService({ deps, submitTask, watch, definitions: options.definitions, faults: validation.faults }),
  );
  router.service(ClassService, classService(deps));
  router.service(NamespaceService, namespaceService(deps));
  router.service(NodeService, {
    ...nodeService({ deps, nodeDatabaseUrl: options.nodeDatabaseUrl }),
    ...imageRpc({ deps, wakeups }),
  });
  router.service(EnvironmentService, { ...environmentService({ deps, wakeups }), ...serviceRpc({ deps, wakeups }) });
  router.service(WorkerService, workerService({ deps, wakeups }));
  router.service(WorkflowService, workflowService(deps));
  router.service(RunService, runService({ deps, definitions: options.definitions, runWatch: options.runWatch }));
  router.service(ScheduleService, scheduleService(deps));
  router.service(LimitService, limitService(deps));
  router.service(BudgetService, budgetService(deps));
  router.service(OrchestratorService, orchestratorService(options));
  router.service(EnvManagerService, envManagerService(options));
  router.service(EnvRunner, envRunner(options));
  registerHealth(router, serving);
  registerReflection(router, services);
}
