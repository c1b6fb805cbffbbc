import { describe, expect, it } from "vitest";
import { readEnvironment } from "../read-environment.ts";
import { faultsOf } from "../testing.ts";

/** An environment of services, each a line. */
function services(lines: Record<string, string>, ...more: string[]): string {
  const list = Object.entries(lines).map(([name, rest]) => `  ${name}: { image: x, ${rest} }`);
  return ["drover: environment/v1", "name: test", ...more, "services:", ...list].join("\n");
}

describe("services of one environment", () => {
  it("that wait for each other are named, where the circle begins", () => {
    expect(
      faultsOf(services({ lead: "dependsOn: a", a: "dependsOn: [b]", b: "dependsOn: c", c: "dependsOn: [lead, a]" })),
    ).toEqual([
      "4:32 Expected services that can start one after the other, got a circle: lead -> a -> b -> c -> lead.",
    ]);
    expect(faultsOf(services({ a: "dependsOn: a" }))).toEqual([
      "4:29 Expected services that can start one after the other, got a circle: a -> a.",
    ]);
  });

  it("on one node cannot have the same port of it", () => {
    const web = "ports: [8080:80]";
    expect(faultsOf(services({ a: web, b: "ports: [81, '0.0.0.0:8080:81']" }))).toEqual([
      '5:30 Expected a port of the node for "b" alone, got 8080/tcp, that of "a".',
    ]);
    expect(faultsOf(services({ a: web, b: "ports: ['127.0.0.2:8080:80', 8080:80/udp, '[::1]:8080:80']" }))).toEqual([]);
    expect(faultsOf(services({ a: web, b: `${web}, replicas: 0` }))).toEqual([]);
    expect(faultsOf(services({ a: "ports: [8080:80, 8080:81]" }))).toEqual([
      '4:35 Expected a port of the node for "a" alone, got 8080/tcp, twice here.',
    ]);
  });

  it("on several nodes may, unless they name the same one", () => {
    const at = (node: string) => `ports: [8080:80], placement: { node: ${node} }`;
    expect(
      faultsOf(services({ a: "ports: [8080:80]", b: "ports: [8080:80], replicas: 3" }, "together: false")),
    ).toEqual([]);
    expect(faultsOf(services({ a: at("n1"), b: at("n2") }, "together: false"))).toEqual([]);
    expect(faultsOf(services({ a: at("n1"), b: at("n1") }, "together: false"))).toHaveLength(1);
  });

  it("have one replica on a node with a fixed port of it", () => {
    const message = 'Expected one replica of "a" on one node, because of its port 8080/tcp there, got 3.';
    expect(faultsOf(services({ a: "ports: [8080:80], replicas: 3" }))).toEqual([`4:26 ${message}`]);
    expect(
      faultsOf(services({ a: "ports: [8080:80], replicas: 3, placement: { node: n }" }, "together: false")),
    ).toEqual([`5:26 ${message}`]);
    expect(faultsOf(services({ a: "ports: [80], replicas: 3" }))).toEqual([]);
  });

  it("that are together cannot name two nodes", () => {
    const lines = { a: "placement: { node: n1 }", b: "placement: { node: n2 }", c: "placement: { node: n1 }" };
    expect(faultsOf(services(lines))).toEqual(['5:29 Expected all services on the node "n1" of "a", got "n2".']);
    expect(faultsOf(services(lines, "together: false"))).toEqual([]);
  });

  it("are warned of waiting for one that nobody wants", () => {
    const reading = readEnvironment({ text: services({ a: "replicas: 0", b: "dependsOn: a" }) });
    expect(reading).toMatchObject({
      warnings: [{ line: 5, message: '"b" never starts: it waits for "a", of which there are 0.' }],
    });
  });
});
