import type { Json } from "@drover/domain/json";
import type { Step, Work } from "@drover/domain/workflow/definition";
import { literal, literalText } from "../shape/template.ts";
import type { NodeType, RawNode } from "./document.ts";

/** What a node needs to be complete, in the words of the format's own validator. */
export function nodeFault(node: RawNode): string | undefined {
  const { type = "" } = node;
  switch (type as NodeType) {
    case "signature":
      if (!node.signature) return "signature node requires signature config";
      return isBlank(node.signature.prompt) ? "signature prompt is required" : undefined;
    case "verifier":
      if (!node.verifier) return "verifier node requires verifier config";
      if (isBlank(node.verifier.command)) return "verifier command is required";
      return (node.verifier.weight ?? 0) < 0 ? "verifier weight must be non-negative" : undefined;
    case "reward":
      if (!node.reward) return "reward node requires reward config";
      return isBlank(node.reward.metric) ? "reward metric is required" : undefined;
    case "training":
      if (!node.training) return "training node requires training config";
      if (isBlank(node.training.method)) return "training method is required";
      return isBlank(node.training.skill) ? "training skill is required" : undefined;
    case "deployment":
      if (!node.deployment) return "deployment node requires deployment config";
      if (isBlank(node.deployment.tenant)) return "deployment tenant is required";
      if (isBlank(node.deployment.domain)) return "deployment domain is required";
      return isBlank(node.deployment.channel) ? "deployment channel is required" : undefined;
    case "custom":
      return Object.keys(node.custom ?? {}).length === 0 ? "custom node requires configuration" : undefined;
    default:
      return `unknown node type ${JSON.stringify(type)}`;
  }
}

/** A node as a step; it must have no fault. */
export function compileNode(node: RawNode, workflowId: string): Step {
  const { id = "", name = "", type = "" } = node;
  const facts = { workflow_id: workflowId, workflow_run_id: "${run.id}", node_id: literal(id), step_kind: type };
  // These clients see the first failure of a node as the end of it.
  return { id, name, retry: { maxAttempts: 1 }, ...workOf(node, type as NodeType, facts) };
}

type Facts = Record<string, Json>;

function workOf(node: RawNode, type: NodeType, facts: Facts): Pick<Step, "work" | "class" | "timeoutSeconds"> {
  switch (type) {
    case "signature":
      return signatureWork(node, facts);
    case "verifier":
      return verifierWork(node, facts);
    case "training": {
      const {
        method,
        skill,
        dataset = "",
        schedule = "",
        max_steps = 0,
        slurm_profile = "",
        trigger_metric = "",
      } = node.training ?? {};
      const payload = { method, skill, dataset, schedule, max_steps, slurm_profile, trigger_metric };
      return { work: workerTask("training", payload, facts), class: "gpu_slurm", timeoutSeconds: 2700 };
    }
    case "reward": {
      const { metric, target = 0, aggregator = "", window = 0, scale = 0 } = node.reward ?? {};
      return { work: noted({ metric, target, aggregator, window, scale }, facts) };
    }
    case "deployment": {
      const { tenant, domain, channel, strategy = "", autopromote = false } = node.deployment ?? {};
      return { work: noted({ tenant, domain, channel, strategy, autopromote }, facts) };
    }
    case "custom":
      return {
        work: {
          kind: "value",
          output: { ack: true, node_id: literal(node.id ?? ""), type, config: literal(node.custom ?? {}) },
        },
      };
  }
}

function signatureWork({ signature }: RawNode, facts: Facts): Pick<Step, "work" | "class"> {
  const { prompt, tools = [], runtime = "", max_tokens = 0, temperature = 0, execution_domain = "" } = signature ?? {};
  const payload = { prompt, tools, runtime, max_tokens, temperature, execution_domain };
  const work = workerTask("signature", payload, { ...facts, input: "${input}" });
  return { work, class: classOf(execution_domain) };
}

function classOf(domain: string): string {
  if (["gpu", "cuda", "accelerated"].includes(domain)) return "gpu_slurm";
  return domain === "cpu_long" ? "cpu_long" : "cpu_short";
}

/** Prints what the command prints, and fails where that does not hold the signal. */
const checkSignal = [
  '{ sh -c "$1"; echo "$?" > .verifier-status; } | tee .verifier-output',
  "status=$(cat .verifier-status)",
  '[ "$status" -eq 0 ] || exit "$status"',
  'case "$(cat .verifier-output)" in *"$2"*) exit 0 ;; esac',
  'echo "expected the output to contain the success signal: $2" >&2',
  "exit 1",
].join("\n");

function verifierWork({ verifier }: RawNode, facts: Facts): Pick<Step, "work" | "class" | "timeoutSeconds"> {
  const { command = "", weight = 0, penalty = 0, timeout_sec = 0, success_signal = "" } = verifier ?? {};
  const isChecked = success_signal !== "";
  const argv = isChecked ? [checkSignal, "verifier", command, success_signal] : [command];
  return {
    work: {
      kind: "task",
      execution: { executor: "process", command: ["sh", "-c", ...argv].map(literalText) },
      payload: { ...facts, ...literalOf({ command, weight, penalty, timeout_sec, success_signal }) },
    },
    class: "cpu_short",
    ...(timeout_sec > 0 && { timeoutSeconds: timeout_sec }),
  };
}

function workerTask(type: string, payload: Record<string, unknown>, facts: Facts): Work {
  return { kind: "task", type, payload: { ...facts, ...literalOf(payload) } };
}

/** Only told: the step ends at once, and what it says is its output. */
function noted(payload: Record<string, unknown>, facts: Facts): Work {
  return { kind: "value", output: { ...facts, ...literalOf(payload) } };
}

function literalOf(payload: Record<string, unknown>): Record<string, Json> {
  return literal(payload as Json) as Record<string, Json>;
}

function isBlank(text: string | undefined): boolean {
  return (text ?? "").trim() === "";
}
