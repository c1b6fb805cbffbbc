import { describe, expect, it } from "vitest";
import { readEnvironment } from "../read-environment.ts";

describe("a service", () => {
  it("takes a digest, a registry and a port in its image", () => {
    const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
    const images = [
      `redis:7-alpine@${digest}`,
      `localhost/x`,
      `127.0.0.1:5000/team/app_x__y-z.a:v1.0`,
      `Registry.Example.com/a/b@${digest}`,
    ];
    for (const image of images) expect(imageFaults(image)).toEqual([]);
    for (const image of [
      "Redis",
      "a//b",
      "a:",
      "a@sha256:12",
      "https://a.b/c",
      "a b",
      "-a",
      "a/B",
      `a:${"x".repeat(129)}`,
    ])
      expect(imageFaults(image)).toHaveLength(1);
  });
});

function imageFaults(image: string): readonly unknown[] {
  const reading = readEnvironment({ json: { drover: "environment/v1", name: "x", services: { a: { image } } } });
  return "faults" in reading ? reading.faults : [];
}
