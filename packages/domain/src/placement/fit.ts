import { lastingGpuReason, takenGpuReason } from "./gpu-reason.ts";
import { takenPort } from "./host-port.ts";
import type { PlacementNode } from "./node.ts";
import { byteTexts, cpuText, listOf } from "./quantity.ts";
import type { Reason } from "./reason.ts";
import { reason } from "./reason.ts";
import type { PlacementRequest, Rejection } from "./request.ts";

/** Why each node that cannot run it cannot, in the order of the nodes. */
export function explainPlacement(nodes: readonly PlacementNode[], request: PlacementRequest): Rejection[] {
  return nodes.flatMap((node) => rejectionOf(node, request) ?? []);
}

/**
 * Why a node cannot run it; undefined if it can. What lasts is told before what passes: who reads that all slots are
 * taken waits for one, and would wait in vain on a node without the GPU.
 */
export function rejectionOf(node: PlacementNode, request: PlacementRequest): Rejection | undefined {
  const found = ruleReason(node, request) ?? gpuReason(node, request) ?? roomReason(node, request);
  return found && { node: node.name, code: found.code, message: found.message() };
}

/** What forbids it whatever is free: states, constraints, executor, class. */
export function ruleReason(node: PlacementNode, request: PlacementRequest): Reason | undefined {
  return stateReason(node) ?? constraintReason(node, request) ?? abilityReason(node, request);
}

/** Whether the slots, cpu and memory that are left suffice, and no host port is taken. */
export function hasRoom(node: PlacementNode, request: PlacementRequest): boolean {
  return (
    hasSlot(node, request) &&
    fits(request.cpuMillicores, node.cpuUsed, node.cpuMillicores) &&
    fits(request.memoryBytes, node.memoryUsed, node.memoryBytes) &&
    (request.ports.length === 0 || takenPort(node.hostPorts, request.ports) === undefined)
  );
}

function gpuReason(node: PlacementNode, { gpus }: PlacementRequest): Reason | undefined {
  return gpus && lastingGpuReason(node, gpus);
}

function stateReason({ name, state, isCordoned }: PlacementNode): Reason | undefined {
  if (state === "lost") return reason("node_lost", () => `Node ${name} is lost: its agent is not heard of.`);
  if (state === "draining") return reason("node_draining", () => `Node ${name} is being drained.`);
  return isCordoned ? reason("node_cordoned", () => `Node ${name} is cordoned.`) : undefined;
}

function constraintReason({ name, labels, taints }: PlacementNode, request: PlacementRequest): Reason | undefined {
  const { node, labels: wanted, notLabels, tolerates } = request.constraints;
  if (node !== undefined && node !== name)
    return reason("other_node", () => `Only node ${node} may run it, not ${name}.`);
  for (const [label, value] of Object.entries(wanted)) {
    const found = ownValue(labels, label);
    if (found !== undefined && (value === "" || found === value)) continue;
    const wantedText = value === "" ? label : `${label}=${value}`;
    const foundText = found === undefined ? `no label ${label}` : `the label ${label}=${found}`;
    return reason("label_missing", () => `Node ${name} has ${foundText}, the label ${wantedText} is asked for.`);
  }
  for (const [label, value] of Object.entries(notLabels)) {
    const found = ownValue(labels, label);
    if (found === undefined || (value !== "" && found !== value)) continue;
    return reason("label_unwanted", () => `Node ${name} has the label ${label}=${found}, which is ruled out.`);
  }
  if (taints.length === 0 || tolerates.includes("*")) return undefined;
  const taint = taints.find((each) => !tolerates.includes(each));
  return taint === undefined
    ? undefined
    : reason("taint", () => `Node ${name} has the taint ${taint}, which is not tolerated.`);
}

function abilityReason({ name, executors, slots }: PlacementNode, request: PlacementRequest): Reason | undefined {
  const { executor, class: taskClass } = request;
  if (!executors.includes(executor)) {
    const message = () => `Node ${name} has no executor ${executor} ready, but ${listOf(executors)}.`;
    return reason("executor_missing", message);
  }
  if (taskClass === undefined || Object.hasOwn(slots, taskClass)) return undefined;
  const message = () => `Node ${name} does not serve class ${taskClass}, but ${listOf(Object.keys(slots))}.`;
  return reason("class_not_served", message);
}

function roomReason(node: PlacementNode, request: PlacementRequest): Reason | undefined {
  const { name } = node;
  if (!hasSlot(node, request)) {
    return reason("no_free_slot", () => `Node ${name} has no slot of class ${request.class} free.`);
  }
  if (!fits(request.cpuMillicores, node.cpuUsed, node.cpuMillicores)) {
    const free = cpuText(Math.max(0, node.cpuMillicores - node.cpuUsed));
    const message = `Node ${name} has ${free} of ${cpuText(node.cpuMillicores)} CPUs free`;
    return reason("cpu", () => `${message}, ${cpuText(request.cpuMillicores)} asked for.`);
  }
  if (!fits(request.memoryBytes, node.memoryUsed, node.memoryBytes)) {
    return reason("memory", () => {
      const left = Math.max(0, node.memoryBytes - node.memoryUsed);
      const [free, all, asked] = byteTexts(left, node.memoryBytes, request.memoryBytes);
      return `Node ${name} has ${free} of ${all} of memory free, ${asked} asked for.`;
    });
  }
  const taken = request.gpus && takenGpuReason(node, request.gpus);
  if (taken !== undefined) return taken;
  const port = takenPort(node.hostPorts, request.ports);
  return port === undefined
    ? undefined
    : reason("host_port", () =>
        port.holder === ""
          ? `Node ${name} has given away port ${port.text} already.`
          : `Node ${name} has given port ${port.text} to ${port.holder}.`,
      );
}

function hasSlot({ slots }: PlacementNode, { class: name }: PlacementRequest): boolean {
  return name === undefined || (ownValue(slots, name) ?? 0) > 0;
}

/** A label may be called `constructor`. */
function ownValue<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** Who asks for nothing fits even where too much has been promised. */
function fits(asked: number, used: number, capacity: number): boolean {
  return asked === 0 || used + asked <= capacity;
}
