import { describe, expect, it } from "vitest";
import { withSlurmHints } from "./compat-slurm.ts";

const execution = { image: "busybox", command: ["true"] };

describe("withSlurmHints", () => {
  it("takes the GPUs of one node from the payload, also as text", () => {
    expect(withSlurmHints(execution, { nodes: 1, gpus: 2 })).toEqual({
      execution: { ...execution, resources: { gpuCount: 2 } },
    });
    expect(withSlurmHints(execution, { nodes: "1", gpus: "4" })).toMatchObject({
      execution: { resources: { gpuCount: 4 } },
    });
  });

  it("leaves an execution alone that says itself how many, or asks for none", () => {
    const own = { ...execution, resources: { gpuCount: 1, cpuMillicores: 500 } };
    expect(withSlurmHints(own, { gpus: 8 })).toEqual({ execution: own });
    expect(withSlurmHints(execution, { gpus: 0 })).toEqual({ execution });
    expect(withSlurmHints(execution, {})).toEqual({ execution });
  });

  it("refuses several nodes and says what to do instead", () => {
    const answer = withSlurmHints(execution, { nodes: 4, gpus: 8 });
    expect(answer).toEqual({ fault: expect.stringContaining("expected 1, got 4") });
    expect(answer).toEqual({ fault: expect.stringContaining("gang of size 4") });
  });

  it("names what it cannot read", () => {
    expect(withSlurmHints(execution, { gpus: "many" })).toEqual({
      fault: 'payload.gpus: expected a whole number from 0, got "many"',
    });
  });
});
