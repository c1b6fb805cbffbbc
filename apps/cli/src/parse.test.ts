import { DroverError } from "@drover/domain/error";
import { describe, expect, it } from "vitest";
import { commands } from "./catalog.ts";
import { parseCommandLine } from "./parse.ts";

function parse(line: string | string[]) {
  return parseCommandLine(typeof line === "string" ? line.split(" ").filter(Boolean) : line, commands);
}

function run(line: string | string[]) {
  const parsed = parse(line);
  if (parsed.kind !== "run") throw new Error(`Expected a command, got help for ${parsed.words.join(" ")}.`);
  return { name: parsed.command.name, ...parsed.input, globals: parsed.globals };
}

function faultOf(line: string | string[]): DroverError {
  try {
    parse(line);
  } catch (error) {
    if (error instanceof DroverError) return error;
  }
  throw new Error("Expected a refusal, got none.");
}

describe("a command line", () => {
  it("names its command by noun and verb, with flags before, between and after", () => {
    const parsed = run("--json task -n blue list --limit 5 --address http://x:1");
    expect(parsed).toMatchObject({
      name: "task list",
      globals: { json: true, namespace: "blue", address: "http://x:1" },
      options: { limit: 5 },
    });
  });

  it("keeps what stands after -- apart, flags and further dashes included", () => {
    const parsed = run(["task", "submit", "--image", "busybox", "--", "sh", "-c", "x", "--json", "--", "y"]);
    expect(parsed.rest).toEqual(["sh", "-c", "x", "--json", "--", "y"]);
    expect(parsed.globals.json).toBe(false);
    expect(parsed.positionals).toEqual([]);
  });

  it("takes words after -- as arguments where the command has no rest", () => {
    expect(run("task get -- --odd-id").positionals).toEqual(["--odd-id"]);
  });

  it("reads values of every kind", () => {
    const line =
      "task submit --delay 1.5m --timeout 250ms --priority -5 --cpus 0.5 --memory 512m -l a=b=c --label d= --mount /a:/b:ro -- x";
    expect(run(line).options).toMatchObject({
      delay: 90_000,
      timeout: 250,
      priority: -5,
      cpus: 0.5,
      memory: 512 * 1024 * 1024,
      label: { a: "b=c", d: "" },
      mount: [{ hostPath: "/a", mountPath: "/b", readOnly: true }],
      process: false,
      env: {},
      image: undefined,
    });
  });

  it("takes words repeated or with commas between them", () => {
    expect(run("task list --state failed,running --state pending").options).toMatchObject({
      state: ["failed", "running", "pending"],
    });
  });

  it("asks for help by flag, by word, and by a noun or nothing alone", () => {
    expect(parse("")).toEqual({ kind: "help", words: [] });
    expect(parse("--json")).toEqual({ kind: "help", words: [] });
    expect(parse("task")).toEqual({ kind: "help", words: ["task"] });
    expect(parse("task submit --image x --help")).toEqual({ kind: "help", words: ["task", "submit"] });
    expect(parse("help task submit")).toEqual({ kind: "help", words: ["task", "submit"] });
    expect(parse("up -h")).toEqual({ kind: "help", words: ["up"] });
    expect(parse("--version")).toMatchObject({ kind: "run", command: { name: "version" } });
  });
});

describe("a wrong command line", () => {
  it("is answered with the command that was probably meant", () => {
    expect(faultOf("tsk list")).toMatchObject({
      reason: "invalid",
      message: 'Expected a command, got "tsk". Did you mean "task"?',
      facts: { hint: "drover task --help" },
    });
    expect(faultOf("task lst").message).toMatch(
      /^Expected one of submit, get, .* after "task", got "lst". Did you mean "list"\?$/,
    );
    expect(faultOf("help tsk").message).toContain('Did you mean "task"?');
    expect(faultOf("task xyzzy").facts.hint).toBe("drover task --help");
  });

  it("is answered with the flag that was probably meant", () => {
    expect(faultOf("task list --stat failed").facts.fields?.[0]).toEqual({
      field: "--stat",
      message: 'There is no flag --stat here. Did you mean "--state"?',
    });
    expect(faultOf("--jsn status").message).toBe('There is no flag --jsn here. Did you mean "--json"?');
  });

  it("is told all its faults at once", () => {
    const { message, facts } = faultOf("task list --limit many --state odd --since x --pool 3 extra");
    expect(message).toBe("The command line has 5 faults.");
    expect(facts.fields).toEqual([
      { field: "--pool", message: "There is no flag --pool here." },
      {
        field: "--state",
        message: 'Expected one of waiting, pending, running, completed, failed, cancelled for --state, got "odd".',
      },
      { field: "--since", message: 'Expected a time such as 10m (ago) or 2026-01-31T12:00:00Z for --since, got "x".' },
      { field: "--limit", message: 'Expected a whole number from 1 to 10000000 for --limit, got "many".' },
      { field: "3", message: 'Expected nothing more, got "3".' },
    ]);
    expect(facts.hint).toBe("drover task list --help");
  });

  it("may lack a value, have one too many, or give one twice", () => {
    expect(faultOf("task submit --image --process -- x").message).toBe("Expected a text after --image, got nothing.");
    expect(faultOf("task list --limit").message).toBe(
      "Expected a whole number from 1 to 10000000 after --limit, got nothing.",
    );
    expect(faultOf("task list --all=yes").message).toBe('Expected no value for --all, got "yes".');
    expect(faultOf("task list --class a --class b").message).toBe("Expected --class once, got it 2 times.");
  });

  it("may lack an argument, or have one too many", () => {
    expect(faultOf("task get").message).toBe("Expected ID: The task to show.");
    expect(faultOf("task get a b").message).toBe('Expected nothing more, got "b".');
    expect(faultOf("task submit --image x echo hi").message).toContain('Put command after "--".');
  });
});

describe("the table of commands", () => {
  it("has examples that the parser takes", () => {
    const lines = commands.flatMap(({ examples }) => examples.map(({ line }) => line));
    const own = lines.flatMap((line) => line.match(/(?<![:/])drover (?!drover)(?:[^|<>()'"]|'[^']*'|"[^"]*")+/g) ?? []);
    expect(own.length).toBeGreaterThanOrEqual(commands.length);
    for (const line of own) {
      const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? "");
      // What xargs adds is not in the line.
      const completed = line.startsWith("drover task retry") && words.length === 3 ? [...words, "id"] : words;
      expect(() => parse(completed.slice(1)), line).not.toThrow();
    }
  });

  it("gives a flag of one name the same form everywhere, since flags may stand before the command", () => {
    const forms = new Map<string, string>();
    for (const { name, options } of commands) {
      for (const [flag, { placeholder, short = "" }] of Object.entries(options)) {
        const form = `${placeholder === undefined ? "flag" : "value"} ${short}`;
        expect(`${name} ${flag} ${forms.get(flag) ?? form}`).toBe(`${name} ${flag} ${form}`);
        forms.set(flag, form);
      }
    }
  });

  it("gives every command a summary, an example, and one meaning to each short flag", () => {
    const shorts = new Map<string, string>();
    for (const { name, summary, examples, options } of commands) {
      expect(summary, name).toMatch(/^[A-Z].*\.$/);
      expect(examples.length, name).toBeGreaterThan(0);
      for (const [flag, { short }] of Object.entries(options)) {
        if (short === undefined) continue;
        expect(shorts.get(short) ?? flag).toBe(flag);
        shorts.set(short, flag);
      }
    }
  });
});
