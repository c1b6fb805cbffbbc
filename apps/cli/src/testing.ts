import { type ConnectRouter, createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import { BudgetService } from "@drover/proto/drover/budget";
import { ClassService } from "@drover/proto/drover/class";
import { EnvironmentService } from "@drover/proto/drover/environment";
import { LimitService } from "@drover/proto/drover/limit";
import { NodeService } from "@drover/proto/drover/node";
import { RunService } from "@drover/proto/drover/run";
import { ScheduleService } from "@drover/proto/drover/schedule";
import { TaskService } from "@drover/proto/drover/task";
import { WorkflowService } from "@drover/proto/drover/workflow";
import { runDrover } from "./run.ts";
import type { Terminal, World } from "./world.ts";

export interface TestRun {
  code: number;
  out: string;
  err: string;
}

export interface TestDroverOptions {
  /** What the server answers; what is not here it does not implement. */
  tasks?: Partial<ServiceImpl<typeof TaskService>>;
  classes?: Partial<ServiceImpl<typeof ClassService>>;
  nodes?: Partial<ServiceImpl<typeof NodeService>>;
  schedules?: Partial<ServiceImpl<typeof ScheduleService>>;
  limits?: Partial<ServiceImpl<typeof LimitService>>;
  budgets?: Partial<ServiceImpl<typeof BudgetService>>;
  workflows?: Partial<ServiceImpl<typeof WorkflowService>>;
  runs?: Partial<ServiceImpl<typeof RunService>>;
  environments?: Partial<ServiceImpl<typeof EnvironmentService>>;
  env?: Record<string, string>;
  stdin?: string;
  stop?: AbortSignal;
  /** How wide the terminal is; without it stdout and stderr are pipes. */
  columns?: number;
}

/** The program in this process, against a server in this process. */
export function createTestDrover(options: TestDroverOptions = {}): (...args: string[]) => Promise<TestRun> {
  const {
    tasks = {},
    classes = {},
    nodes = {},
    schedules = {},
    limits = {},
    budgets = {},
    workflows = {},
    runs = {},
    environments = {},
    env = {},
    stdin = "",
    columns,
    stop = new AbortController().signal,
  } = options;
  const routes = (router: ConnectRouter) =>
    void router
      .service(TaskService, tasks)
      .service(ClassService, classes)
      .service(NodeService, nodes)
      .service(ScheduleService, schedules)
      .service(LimitService, limits)
      .service(BudgetService, budgets)
      .service(WorkflowService, workflows)
      .service(RunService, runs)
      .service(EnvironmentService, environments);
  return async (...args) => {
    const [stdout, stderr] = [createTerminal(columns), createTerminal(columns)];
    const world: World = {
      args,
      env,
      stdin: chunksOf(stdin),
      stdout,
      stderr,
      stop,
      connect: ({ interceptors }) => createRouterTransport(routes, { transport: { interceptors } }),
      programs: { node: process.execPath, api: "/nowhere/api.js", agent: "/nowhere/agent.js" },
      nodeVersion: "v24.0.0",
    };
    const code = await runDrover(world);
    return { code, out: stdout.text(), err: stderr.text() };
  };
}

function createTerminal(columns: number | undefined): Terminal & { text: () => string } {
  let text = "";
  return { write: (more) => (text += more), text: () => text, ...(columns !== undefined && { isTTY: true, columns }) };
}

async function* chunksOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
