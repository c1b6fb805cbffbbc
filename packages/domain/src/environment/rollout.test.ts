import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideRollout, type RolloutReplica, type RolloutService } from "./rollout.ts";
import type { SeenState } from "./status.ts";

const policy = { maxUnavailable: 1, healthySeconds: 5, onFailure: "pause" } as const;

/** Replicas as `old running`, `new starting`, `new running 3` (for 3 s). */
function service(lines: string[], said: Partial<RolloutService> = {}): RolloutService {
  const replicas = lines.map((line, index): RolloutReplica => {
    const [age, state = "", seconds = "60"] = line.split(" ");
    return {
      id: `${said.name ?? "web"}${index + 1}`,
      number: index + 1,
      isCurrent: age === "new",
      state: state as SeenState,
      message: "",
      runningSeconds: Number(seconds),
    };
  });
  const settled = { isSettled: false, settledGeneration: 1 };
  return { name: "web", dependsOn: [], update: policy, isStopped: false, ...settled, replicas, ...said };
}

const updates = (...services: RolloutService[]) => decideRollout(services, false).update;

describe("a roll-out", () => {
  it("takes one running replica after the other, and waits for each", () => {
    expect(updates(service(["old running", "old running"]))).toEqual(["web1"]);
    expect(updates(service(["new starting", "old running"]))).toEqual([]);
    expect(updates(service(["new running 3", "old running"]))).toEqual([]);
    expect(updates(service(["new running 5", "old running"]))).toEqual(["web2"]);
    expect(decideRollout([service(["new running 3", "old running"])], false).nextSeconds).toBe(2);
  });

  it("counts those that are away for other reasons, and takes what serves nobody at once", () => {
    expect(updates(service(["old failed", "old starting", "old running"]))).toEqual(["web1", "web2"]);
    expect(updates(service(["old unknown", "old running"]))).toEqual([]);
    expect(updates(service(["old running", "old running"], { isStopped: true }))).toEqual(["web1", "web2"]);
  });

  it("goes on to a service when what it depends on is done", () => {
    const web = service(["old running"], { dependsOn: ["db"] });
    expect(updates(web, service(["new starting"], { name: "db" }))).toEqual([]);
    expect(updates(web, service(["new running"], { name: "db" }))).toEqual(["web1"]);
    expect(updates(web, service(["new stopping"], { name: "db", isStopped: true }))).toEqual(["web1"]);
    // One that was good under this generation, and has trouble now, is another matter.
    expect(updates(web, service(["new failed"], { name: "db", isSettled: true }))).toEqual(["web1"]);
  });

  it("stands still when an updated replica fails, as long as it is not healthy again", () => {
    const failed = decideRollout(
      [service(["new failed", "old running"], { update: { ...policy, maxUnavailable: 2 } })],
      false,
    );
    expect(failed).toMatchObject({
      update: [],
      isDone: false,
      failure: { service: "web", reason: "replica 1 of web is failed." },
    });
    expect(failed.rollbackTo).toBeUndefined();
    const retried = service(["new starting", "old running"], { update: { ...policy, maxUnavailable: 2 } });
    expect(decideRollout([retried], true)).toMatchObject({ update: [], failure: { service: "web" } });
    expect(decideRollout([retried], false).update).toEqual(["web2"]);
    expect(decideRollout([service(["new running", "old running"])], true)).toMatchObject({ update: ["web2"] });
  });

  it("names the generation to go back to, where the policy wants it and there is one", () => {
    const back = { update: { ...policy, onFailure: "rollback" as const } };
    expect(decideRollout([service(["new failed"], { ...back, settledGeneration: 4 })], false).rollbackTo).toBe(4);
    expect(
      decideRollout([service(["new failed"], { ...back, settledGeneration: 0 })], false).rollbackTo,
    ).toBeUndefined();
    expect(decideRollout([service(["new failed"], { ...back, isSettled: true })], false).rollbackTo).toBeUndefined();
  });

  it("says why it does not go back where the policy wants it", () => {
    const back = { update: { ...policy, onFailure: "rollback" as const } };
    const first = decideRollout([service(["new failed", "old running"], { ...back, settledGeneration: 0 })], false);
    expect(first.rollbackTo).toBeUndefined();
    expect(first.failure?.reason).toBe(
      "replica 1 of web is failed. There is no generation to go back to: the service ran under none before.",
    );
    const returned = decideRollout([service(["new failed"], { ...back, settledGeneration: 4 })], false, {
      isReturn: true,
    });
    expect(returned.rollbackTo).toBeUndefined();
    expect(returned.failure?.reason).toBe(
      "replica 1 of web is failed. It stays with this generation, which was gone back to.",
    );
  });

  it("is done when everything is as it should be, or was under this generation", () => {
    expect(decideRollout([service(["new running"])], false)).toMatchObject({ isDone: true, settled: ["web"] });
    expect(decideRollout([service([])], false)).toMatchObject({ isDone: true, settled: ["web"] });
    expect(decideRollout([service(["new running 1"])], false)).toMatchObject({ isDone: false, settled: [] });
    expect(decideRollout([service(["new failed"], { isSettled: true })], false)).toMatchObject({
      isDone: true,
      settled: [],
    });
    // What ended by itself, and may.
    expect(decideRollout([service(["new stopped"])], false).isDone).toBe(true);
  });

  it("never has more replicas away for its sake than allowed, and ends", () => {
    const shape = fc.record({
      replicas: fc.integer({ min: 1, max: 8 }),
      maxUnavailable: fc.integer({ min: 1, max: 4 }),
      needs: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(shape, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(7), { maxLength: 300 }),
        (shapes, picks) => {
          let services = shapes.map(({ replicas, maxUnavailable, needs }, index) =>
            service(
              Array.from({ length: replicas }, () => "old running"),
              {
                name: `s${index}x`,
                dependsOn: needs && index > 0 ? [`s${index - 1}x`] : [],
                update: { ...policy, maxUnavailable },
              },
            ),
          );
          const away = (one: RolloutService) =>
            one.replicas.filter(
              (replica) => replica.isCurrent && (replica.state !== "running" || replica.runningSeconds < 5),
            ).length;
          // What starts comes up, and what has come up stays so: in any order, at any time.
          const change = (map: (replica: RolloutReplica, index: number) => RolloutReplica) =>
            services.map((one) => ({ ...one, replicas: one.replicas.map(map) }));
          const turn = () => {
            const { update, isDone } = decideRollout(services, false);
            const taken = new Set(update);
            services = change((one) =>
              taken.has(one.id) ? { ...one, isCurrent: true, state: "starting", runningSeconds: 0 } : one,
            );
            for (const one of services) expect(away(one)).toBeLessThanOrEqual(one.update.maxUnavailable);
            return isDone;
          };
          for (const pick of picks) {
            turn();
            services = change((one, index) =>
              index !== pick || !one.isCurrent
                ? one
                : one.state === "starting"
                  ? { ...one, state: "running", runningSeconds: 0 }
                  : { ...one, runningSeconds: one.runningSeconds + 3 },
            );
          }
          for (let turns = 0; !turn(); turns += 1) {
            expect(turns).toBeLessThan(100);
            services = change((one) => (one.isCurrent ? { ...one, state: "running", runningSeconds: 60 } : one));
          }
          expect(services.every((one) => one.replicas.every(({ isCurrent }) => isCurrent))).toBe(true);
        },
      ),
    );
  });
});
