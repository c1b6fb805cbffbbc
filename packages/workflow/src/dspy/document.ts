import { list, record } from "@drover/document/shape/record";
import { flag, mapped, number, placed, text, type Read, type Shape } from "@drover/document/shape/shape";
import { isObject, type Value } from "@drover/document/source/value";

/** As the format's own decoder reads it: null is nothing, unknown keys are let through, and blank texts count as none. */
const open = { isOpen: true, hasNulls: true } as const;
const word = (): Shape<string> => mapped(text({ blank: true }), (value) => value);
const whole = () => number({ whole: true });

/** A value as it stands, to look into later. */
const raw: Shape<Value> = { schema: {}, read: (value) => value };

export const typedBlocks = {
  signature: record({
    name: "signature",
    ...open,
    optional: {
      prompt: word(),
      tools: list(word()),
      runtime: word(),
      max_tokens: whole(),
      temperature: number(),
      execution_domain: word(),
    },
  }),
  verifier: record({
    name: "verifier",
    ...open,
    optional: { command: word(), weight: number(), penalty: number(), timeout_sec: whole(), success_signal: word() },
  }),
  reward: record({
    name: "reward",
    ...open,
    optional: { metric: word(), target: number(), aggregator: word(), window: whole(), scale: number() },
  }),
  training: record({
    name: "training",
    ...open,
    optional: {
      method: word(),
      skill: word(),
      dataset: word(),
      schedule: word(),
      max_steps: whole(),
      slurm_profile: word(),
      trigger_metric: word(),
    },
  }),
  deployment: record({
    name: "deployment",
    ...open,
    optional: { tenant: word(), domain: word(), channel: word(), strategy: word(), autopromote: flag() },
  }),
  custom: {
    schema: { type: "object" },
    read: (value, report) => (isObject(value.json) ? value.json : void report.add(value, "Expected an object.")),
  } satisfies Shape<Record<string, unknown>>,
};

export type NodeType = keyof typeof typedBlocks;

export const node = record({
  name: "a node",
  ...open,
  optional: { id: word(), name: word(), type: word(), description: word(), ...typedBlocks },
});
export type RawNode = Read<typeof node>;

const edge = record({
  name: "an edge",
  ...open,
  optional: { id: word(), source: word(), target: word(), kind: word(), label: word() },
});
export type RawEdge = Read<typeof edge>;

export const document = record({
  name: "a workflow",
  ...open,
  optional: {
    id: word(),
    name: word(),
    description: word(),
    tags: list(word()),
    tenant: word(),
    version: word(),
    nodes: list(placed(node)),
    edges: list(placed(edge)),
    created_at: raw,
    updated_at: raw,
  },
});
