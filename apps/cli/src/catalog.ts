import type { Command } from "./command.ts";
import { budgetDelete, budgetList, budgetSet, budgetVerify } from "./command/budget.ts";
import { budgetReport } from "./command/budget-report.ts";
import { classCreate, classLimit, classList, classPause, classResume } from "./command/class.ts";
import { completion } from "./command/completion.ts";
import { agent, api, migrate } from "./command/daemon.ts";
import { limitDelete, limitList, limitSet } from "./command/limit.ts";
import { nodeGet, nodeList, nodeLogin } from "./command/node.ts";
import {
  scheduleDelete,
  scheduleGet,
  scheduleList,
  schedulePause,
  schedulePut,
  scheduleResume,
} from "./command/schedule.ts";
import { priceList, priceSet } from "./command/price.ts";
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
  nodeList,
  nodeGet,
  nodeLogin,
  api,
  agent,
  migrate,
  version,
  completion,
];
