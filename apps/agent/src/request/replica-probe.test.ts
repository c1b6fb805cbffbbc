import { expect, it } from "vitest";
import type { HealthCheck } from "@drover/domain/environment/declaration";
import type { Answer } from "../docker/answer.ts";
import { createReplicaProbe } from "./replica-probe.ts";

const check: HealthCheck = {
  probe: { kind: "tcp", port: 80 },
  intervalSeconds: 1,
  timeoutSeconds: 1,
  retries: 1,
  startSeconds: 1,
};
const { signal } = new AbortController();

function setup(inspection: Answer<{ ip: string }> = { ok: true, value: { ip: "10.0.0.1" } }) {
  return createReplicaProbe({
    findCheck: (id) => (id === "checked" ? check : undefined),
    inspect: async () => inspection,
    probe: async ({ inspection: { ip } }) => ({ isHealthy: ip === "10.0.0.1", message: "" }),
  });
}

it("makes the declared check in the replica's container", async () => {
  expect(await setup()("checked", "c", signal)).toEqual({
    isHealthy: true,
    message: "Its health check succeeds.",
    details: { probe: "tcp" },
  });
  expect(await setup()("plain", "c", signal)).toBeUndefined();
});

it("takes an engine that does not answer for no proof of health", async () => {
  const result = await setup({ ok: false, fault: "unknown", message: "no answer" })("checked", "c", signal);
  expect(result).toMatchObject({ isHealthy: false, message: expect.stringContaining("no answer") });
});
