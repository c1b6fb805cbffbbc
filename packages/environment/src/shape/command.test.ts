import { describe, expect, it } from "vitest";
import { readEnvironment } from "../read-environment.ts";
import { around, messagesOf, serviceOf } from "../testing.ts";

describe("a service", () => {
  it("has a command as a list, or as a text that is split as by a shell", () => {
    expect(serviceOf("command: [redis-server, --save, 60]").command).toEqual(["redis-server", "--save", "60"]);
    expect(serviceOf(`command: redis-server --save '60 1' --name "a \\"b\\"" c\\ d ''`).command).toEqual([
      "redis-server",
      "--save",
      "60 1",
      "--name",
      'a "b"',
      "c d",
      "",
    ]);
    expect(serviceOf("entrypoint: >\n      a\n      b").entrypoint).toEqual(["a", "b"]);
    expect(messagesOf("command: a | b", `entrypoint: "a 'b"`)).toEqual([
      "Expected a command without |, since no shell runs it.",
      "Expected a second ', which ends the text.",
    ]);
    expect(messagesOf(`command: []`)).toEqual(["Expected a list of texts of at least 1, got an empty list."]);
    expect(serviceOf(`command: curl 'http://x/?a=1&b=2' "a;b"`).command).toEqual(["curl", "http://x/?a=1&b=2", "a;b"]);
  });

  it("is warned where a text looks as if a shell would replace something in it", () => {
    const warnings = (command: string) => {
      const reading = readEnvironment({ text: around("image: x", `command: ${command}`) });
      return "warnings" in reading ? reading.warnings.length : -1;
    };
    expect(["echo $HOME", 'echo "a ${B}"', "echo `date`", "'a$B'"].map(warnings)).toEqual([1, 1, 1, 1]);
    expect([`echo '$HOME'`, "echo \\$HOME", 'echo "\\$HOME"', "echo 5$", "[sh, -c, echo $HOME]"].map(warnings)).toEqual(
      [0, 0, 0, 0, 0],
    );
  });
});
