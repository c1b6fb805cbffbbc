import type { Command } from "./command.ts";
import { budgetDelete, budgetList, budgetSet, budgetVerify } from "./command/budget.ts";
import { budgetReport } from "./command/budget-report.ts";
import { classCreate, classLimit, classList, classPause, classResume } from "./command/class.ts";
import { completion } from "./command/completion.ts";
import { agent, api, migrate } from "./command/daemon.ts";
import { gpuCordon, gpuList, gpuUncordon } from "./command/gpu.ts";
import { envApply } from "./command/env-apply.ts";
import { envDelete } from "./command/env-delete.ts";
import { envDrift } from "./command/env-drift.ts";
import { envGet } from "./command/env-get.ts";
import { envHistory } from "./command/env-history.ts";
import { envList } from "./command/env-list.ts";
import { envPlan } from "./command/env-plan.ts";
import { envRollback } from "./command/env-rollback.ts";
import { envValidate } from "./command/env-validate.ts";
import { envWatch } from "./command/env-watch.ts";
import { imagePull } from "./command/image-pull.ts";
import { limitDelete, limitList, limitSet } from "./command/limit.ts";
import { namespaceCreate, namespaceList } from "./command/namespace.ts";
import { nodeGet, nodeList, nodeLogin } from "./command/node.ts";
import { nodeCordon, nodeLabel, nodeRemove, nodeRevoke, nodeTaint, nodeUncordon } from "./command/node-change.ts";
import { nodeDrain } from "./command/node-drain.ts";
import { nodeJoin } from "./command/node-join.ts";
import { nodeToken } from "./command/node-token.ts";
import { runCancel, workflowCancel } from "./command/run-cancel.ts";
import { runCost } from "./command/run-cost.ts";
import { runApprove, runEvent, runReject } from "./command/run-decide.ts";
import { runGet } from "./command/run-get.ts";
import { runList } from "./command/run-list.ts";
import { runResume, workflowResume } from "./command/run-resume.ts";
import { runSteps } from "./command/run-steps.ts";
import { runWatch, workflowWatch } from "./command/run-watch.ts";
import {
  scheduleDelete,
  scheduleGet,
  scheduleList,
  schedulePause,
  schedulePut,
  scheduleResume,
} from "./command/schedule.ts";
import { priceList, priceSet } from "./command/price.ts";
import { serviceRestart, serviceStart, serviceStop } from "./command/service-change.ts";
import { serviceHealth } from "./command/service-health.ts";
import { serviceLogs } from "./command/service-logs.ts";
import { serviceStatus } from "./command/service-status.ts";
import { status } from "./command/status.ts";
import { taskCancel } from "./command/task-cancel.ts";
import { taskGet } from "./command/task-get.ts";
import { taskList } from "./command/task-list.ts";
import { taskLogs } from "./command/task-logs.ts";
import { taskRetry } from "./command/task-retry.ts";
import { taskSubmit } from "./command/task-submit.ts";
import { taskWatch } from "./command/task-watch.ts";
import { up } from "./command/up.ts";
import { version } from "./command/version.ts";
import { workflowApply } from "./command/workflow-apply.ts";
import { workflowGet } from "./command/workflow-get.ts";
import { workflowGraph } from "./command/workflow-graph.ts";
import { workflowList } from "./command/workflow-list.ts";
import { workflowRun } from "./command/workflow-run.ts";
import { workflowValidate } from "./command/workflow-validate.ts";

/** Everything that `drover` can do, in the order of the help. */
export const commands: readonly Command[] = [
  up,
  status,
  taskSubmit,
  taskGet,
  taskList,
  taskWatch,
  taskLogs,
  taskCancel,
  taskRetry,
  workflowApply,
  workflowValidate,
  workflowList,
  workflowGet,
  workflowRun,
  workflowWatch,
  workflowCancel,
  workflowResume,
  workflowGraph,
  runList,
  runGet,
  runSteps,
  runCost,
  runWatch,
  runCancel,
  runResume,
  runApprove,
  runReject,
  runEvent,
  envApply,
  envPlan,
  envValidate,
  envList,
  envGet,
  envWatch,
  envHistory,
  envRollback,
  envDrift,
  envDelete,
  serviceStatus,
  serviceLogs,
  serviceHealth,
  serviceStart,
  serviceStop,
  serviceRestart,
  imagePull,
  classList,
  classCreate,
  classPause,
  classResume,
  classLimit,
  schedulePut,
  scheduleList,
  scheduleGet,
  schedulePause,
  scheduleResume,
  scheduleDelete,
  limitSet,
  limitList,
  limitDelete,
  budgetSet,
  budgetList,
  budgetDelete,
  budgetReport,
  budgetVerify,
  priceSet,
  priceList,
  namespaceList,
  namespaceCreate,
  nodeList,
  nodeGet,
  nodeToken,
  nodeJoin,
  nodeLabel,
  nodeTaint,
  nodeCordon,
  nodeUncordon,
  nodeDrain,
  nodeRemove,
  nodeRevoke,
  nodeLogin,
  gpuList,
  gpuCordon,
  gpuUncordon,
  api,
  agent,
  migrate,
  version,
  completion,
];
