import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findCycle, startOrder, withDependencies, type Dependent } from "./dependency.ts";

/** `a` alone, or `a: b c` for a that depends on b and c. */
function services(...lines: string[]): Dependent[] {
  return lines.map((line) => {
    const [name = "", needs = ""] = line.split(":");
    return { name, dependsOn: needs.split(" ").filter((word) => word !== "") };
  });
}

const anyServices = fc
  .array(fc.uniqueArray(fc.nat(11), { maxLength: 4 }), { maxLength: 12 })
  .map((lists) => lists.map((needs, index) => ({ name: `s${index}`, dependsOn: needs.map((one) => `s${one}`) })));

/** Each depends on some of those before it only. */
const ordered = anyServices.map((list) =>
  list.map(({ name, dependsOn }, index) => ({
    name,
    dependsOn: dependsOn.filter((one) => Number(one.slice(1)) < index),
  })),
);

describe("the order of starts", () => {
  it("is by levels, each as early as it can be", () => {
    const list = services("router: a b", "a: redis", "b: redis", "redis", "metrics", "late: router metrics");
    expect(startOrder(list)).toEqual([["redis", "metrics"], ["a", "b"], ["router"], ["late"]]);
    expect(startOrder([])).toEqual([]);
  });

  it("takes no account of what is not there", () => {
    expect(startOrder(services("a: gone"))).toEqual([["a"]]);
  });

  it("is refused where there is none, with the circle", () => {
    expect(() => startOrder(services("x", "a: b", "b: a"))).toThrow(/got a -> b -> a\.$/);
  });

  it("has every service once, just behind the last of those that it depends on", () => {
    fc.assert(
      fc.property(ordered, (list) => {
        const levels = startOrder(list);
        expect(levels.flat().toSorted()).toEqual(list.map(({ name }) => name).toSorted());
        const levelOf = new Map(levels.flatMap((level, index) => level.map((name): [string, number] => [name, index])));
        for (const { name, dependsOn } of list)
          expect(levelOf.get(name)).toBe(Math.max(-1, ...dependsOn.map((one) => levelOf.get(one) ?? Infinity)) + 1);
      }),
    );
  });
});

describe("a circle", () => {
  it("is named, without those that only lead to it", () => {
    expect(findCycle(services("lead: a", "a: b", "b: c", "c: a"))).toEqual(["a", "b", "c"]);
    expect(findCycle(services("a: a"))).toEqual(["a"]);
    expect(findCycle(services("a: b", "b", "c: a b gone"))).toBeUndefined();
  });

  it("is found exactly where there is no order, and is one", () => {
    fc.assert(
      fc.property(anyServices, (list) => {
        const cycle = findCycle(list);
        if (cycle === undefined) {
          expect(startOrder(list).flat()).toHaveLength(list.length);
          return;
        }
        expect(() => startOrder(list)).toThrow("circle");
        expect(new Set(cycle).size).toBe(cycle.length);
        for (const [index, name] of cycle.entries())
          expect(list.find((one) => one.name === name)?.dependsOn).toContain(cycle[(index + 1) % cycle.length]);
      }),
    );
  });

  it("is looked for without recursion", () => {
    const long = Array.from({ length: 20_000 }, (_, index) => ({ name: `s${index}`, dependsOn: [`s${index + 1}`] }));
    expect(findCycle(long)).toBeUndefined();
  });
});

describe("a subset", () => {
  it("pulls in what it depends on, in the order of the services", () => {
    const list = services("a: b", "b: c", "c", "d", "e: d");
    expect(withDependencies(list, ["a"])).toEqual(["a", "b", "c"]);
    expect(withDependencies(list, ["e", "c", "nobody"])).toEqual(["c", "d", "e"]);
    expect(withDependencies(list, [])).toEqual([]);
  });

  it("is closed, no larger than it must be, and pulled in it stays the same", () => {
    fc.assert(
      fc.property(anyServices, fc.array(fc.nat(11)), (list, numbers) => {
        const asked = numbers.map((number) => `s${number}`).filter((name) => list.some((one) => one.name === name));
        const found = withDependencies(list, asked);
        expect(withDependencies(list, found)).toEqual(found);
        for (const { name, dependsOn } of list.filter((one) => found.includes(one.name))) {
          const isNeeded = list.some((one) => found.includes(one.name) && one.dependsOn.includes(name));
          expect(asked.includes(name) || isNeeded).toBe(true);
          for (const one of dependsOn) if (list.some((other) => other.name === one)) expect(found).toContain(one);
        }
        for (const name of asked) expect(found).toContain(name);
      }),
    );
  });
});
