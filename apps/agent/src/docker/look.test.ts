import type Docker from "dockerode";
import { describe, expect, it } from "vitest";
import { readLook } from "./look.ts";

const never = "0001-01-01T00:00:00Z";
const then = "2026-01-01T00:00:00.5Z";

function inspection(state: Partial<Docker.ContainerInspectInfo["State"]>): {
  ok: true;
  value: Docker.ContainerInspectInfo;
} {
  const whole = {
    Running: false,
    Restarting: false,
    Pid: 0,
    StartedAt: never,
    FinishedAt: never,
    ExitCode: 0,
    OOMKilled: false,
    Error: "",
    ...state,
  };
  return {
    ok: true,
    value: { Id: "id", Config: { Labels: {} }, State: whole } as unknown as Docker.ContainerInspectInfo,
  };
}

describe("a look at a container", () => {
  it.each([
    ["running", { Running: true, Pid: 7, StartedAt: then }],
    ["unknown", { Running: true, Pid: 0, StartedAt: then }],
    ["stopped", { StartedAt: then, FinishedAt: then, ExitCode: 3 }],
    ["stopped", {}],
  ])("is %s for %j", (expected, state) => {
    expect(readLook(inspection(state)).state).toBe(expected);
  });

  it("tells a container that was never started from one that ended", () => {
    expect(readLook(inspection({}))).toMatchObject({ startedAt: undefined, finishedAt: undefined });
    expect(readLook(inspection({ StartedAt: then }))).toMatchObject({ startedAt: new Date(then) });
  });

  it("concludes missing from a 404 alone", () => {
    expect(readLook({ ok: false, fault: "missing", message: "" })).toEqual({ state: "missing" });
    for (const fault of ["unknown", "failed", "refused", "conflict"] as const) {
      expect(readLook({ ok: false, fault, message: "m" })).toEqual({ state: "unknown", message: "m" });
    }
  });
});
