import { describe, expect, expectTypeOf, it } from "vitest";

import { DroverError } from "@drover/domain/error";

import type { Address } from "./address.ts";
import { defineConfig } from "./config.ts";
import { addresses, counts, flag, integer, list, oneOf, seconds, text, url } from "./kind.ts";
import type { Settings } from "./setting.ts";

const settings = {
  listen: { name: "DROVER_LISTEN", kind: addresses(), default: "127.0.0.1:9097", doc: "Where to listen." },
  databaseUrl: {
    name: "DROVER_DATABASE_URL",
    kind: url({ schemes: ["postgres"] }),
    doc: "The database.",
    optional: true,
  },
  leaseSeconds: {
    name: "DROVER_LEASE_SECONDS",
    kind: seconds({ min: 1, max: 300 }),
    default: "30s",
    doc: "Time to live.",
  },
  logLevel: { name: "DROVER_LOG_LEVEL", kind: oneOf(["info", "debug"]), default: "info", doc: "How much to log." },
  insecure: { name: "DROVER_INSECURE", kind: flag(), default: false, doc: "Trust everybody." },
  slots: { name: "DROVER_SLOTS", kind: counts(), default: "cpu_short=4", doc: "Slots by class." },
  mounts: { name: "DROVER_MOUNTS", kind: list(), doc: "Paths.", optional: true },
  poolSize: { name: "DROVER_POOL_SIZE", kind: integer({ min: 1, max: 100 }), default: 10, doc: "Connections." },
  token: { name: "DROVER_TOKEN", kind: text(), secret: true, doc: "The login." },
} satisfies Settings;

type Input = { env?: Record<string, string>; file?: string; otherNames?: string[] };

function read({ env = {}, file, otherNames = [] }: Input = {}) {
  const config = defineConfig({ settings, otherNames });
  const source = file === undefined ? {} : { DROVER_CONFIG: "drover.yaml" };
  return config.read({ env: { DROVER_TOKEN: "t0ken-from-env", ...source, ...env }, readFile: () => file ?? "" });
}

function faultsOf(input: Input): Record<string, string> {
  try {
    read(input);
  } catch (error) {
    if (!(error instanceof DroverError) || error.reason !== "invalid") throw error;
    return Object.fromEntries((error.facts.fields ?? []).map(({ field, message }) => [field, message]));
  }
  throw new Error("expected faults, got none");
}

describe("defineConfig", () => {
  it("gives typed values, with defaults where nothing is set", () => {
    const { values, given, warnings } = read();
    expectTypeOf(values.listen).toEqualTypeOf<readonly Address[]>();
    expectTypeOf(values.databaseUrl).toEqualTypeOf<string | undefined>();
    expectTypeOf(values.logLevel).toEqualTypeOf<"info" | "debug">();
    expect(values).toEqual({
      listen: [{ host: "127.0.0.1", port: 9097 }],
      databaseUrl: undefined,
      leaseSeconds: 30,
      logLevel: "info",
      insecure: false,
      slots: new Map([["cpu_short", 4]]),
      mounts: undefined,
      poolSize: 10,
      token: "t0ken-from-env",
    });
    expect(given).toEqual({ DROVER_TOKEN: "a secret that is not shown from the environment" });
    expect(warnings).toEqual([]);
  });

  it("prefers the environment to the file and the file to the default", () => {
    const { values, given } = read({ env: { DROVER_POOL_SIZE: "7" }, file: "pool_size: 8\nlease_seconds: 1m\n" });
    expect(values).toMatchObject({ poolSize: 7, leaseSeconds: 60, logLevel: "info" });
    expect(given).toMatchObject({
      DROVER_POOL_SIZE: '"7" from the environment',
      DROVER_LEASE_SECONDS: '"1m" from drover.yaml (key lease_seconds)',
    });
  });

  it("takes an empty variable for one that is not set", () => {
    expect(read({ env: { DROVER_POOL_SIZE: "", DROVER_DATABASE_URL: " " } }).values).toMatchObject({
      poolSize: 10,
      databaseUrl: undefined,
    });
  });

  it("reads YAML with nested keys, lists and maps", () => {
    const file =
      "log:\n  level: debug\nlisten: [127.0.0.1:1, '[::1]:2']\nslots: {gpu: 1}\nmounts:\n- /data\n- /models\ninsecure: on\n";
    const { values } = read({ file });
    expect(values.listen.map(({ port }) => port)).toEqual([1, 2]);
    expect(values).toMatchObject({
      logLevel: "debug",
      slots: new Map([["gpu", 1]]),
      mounts: ["/data", "/models"],
      insecure: true,
    });
  });

  it("reads JSON, and takes null for not set", () => {
    const file = JSON.stringify({ pool_size: 3, insecure: true, database_url: null, slots: { gpu: 2 } });
    expect(read({ file }).values).toMatchObject({
      poolSize: 3,
      insecure: true,
      databaseUrl: undefined,
      slots: new Map([["gpu", 2]]),
    });
  });

  it("keeps a secret of digits as it is written in the file", () => {
    const config = defineConfig({ settings });
    const { values } = config.read({ env: { DROVER_CONFIG: "x" }, readFile: () => "token: 00123456789012345678901\n" });
    expect(values.token).toBe("00123456789012345678901");
  });

  it("reports every fault at once: what was expected, what came, and from where", () => {
    const faults = faultsOf({
      env: { DROVER_POOL_SIZE: "many", DROVER_TOKEN: "" },
      file: "lease_seconds: 1h\nlog: {levle: debug}\nlisten: {a: b}\n",
    });
    expect(faults).toEqual({
      DROVER_LISTEN:
        "expected host:port, or several separated by commas, got nested keys from drover.yaml (key listen).",
      DROVER_LEASE_SECONDS:
        'expected a duration such as 30, 30s, 5m or 250ms from 1 to 300 seconds, got "1h" from drover.yaml (key lease_seconds).',
      DROVER_POOL_SIZE: 'expected a whole number from 1 to 100, got "many" from the environment.',
      DROVER_TOKEN:
        "expected a text, got nothing. Set it in the environment, or as token in the file that DROVER_CONFIG names.",
      log_levle: "expected a known key in drover.yaml, got log_levle. Did you mean log_level?",
    });
  });

  it("writes the faults as lines of one message", () => {
    expect(() => read({ env: { DROVER_POOL_SIZE: "0", DROVER_INSECURE: "maybe" } })).toThrow(
      '2 settings are wrong. Correct and start again:\n- DROVER_INSECURE: expected true or false, got "maybe" from the environment.\n- DROVER_POOL_SIZE:',
    );
  });

  it("never shows a secret or the password of a URL in a fault", () => {
    const secret = { ...settings.token, kind: integer() };
    const config = defineConfig({ settings: { secret, databaseUrl: settings.databaseUrl } });
    const env = { DROVER_TOKEN: "hunter2", DROVER_DATABASE_URL: "mysql://u:hunter2@db/x" };
    expect(() => config.read({ env })).toThrow(/not shown.*\n.*mysql:\/\/u:\[redacted\]@db/);
    expect(() => config.read({ env })).not.toThrow(/hunter2/);
  });

  it("hands the log what it has to hide", () => {
    expect(read({ env: { DROVER_DATABASE_URL: "postgres://u:p%40ss@db/x" } }).secrets).toEqual([
      "p%40ss",
      "p@ss",
      "t0ken-from-env",
    ]);
  });

  it("refuses a key that stands twice, nested and flat", () => {
    expect(faultsOf({ file: "log: {level: info}\nlog_level: debug\n" })).toEqual({
      DROVER_LOG_LEVEL: "expected one value, got two from drover.yaml: nested and as log_level.",
    });
  });

  it("refuses a list item with a comma, which would become two", () => {
    expect(faultsOf({ file: "mounts: ['/a,b']\n" })).toEqual({
      DROVER_MOUNTS:
        "expected a list separated by commas, got a list with commas or nested values from drover.yaml (key mounts).",
    });
  });

  it("says where a broken file breaks, without quoting it", () => {
    const faults = faultsOf({ file: "token: hunter2\ntoken: hunter2\n", env: { DROVER_TOKEN: "" } });
    expect(faults).toEqual({
      DROVER_CONFIG:
        "expected YAML or JSON in drover.yaml, got text that cannot be read: Map keys must be unique at line 2, column 1.",
    });
  });

  it("refuses a file that is a list, and reports a file that is missing", () => {
    expect(faultsOf({ file: "- a\n" })).toEqual({
      DROVER_CONFIG: "expected keys with values in drover.yaml, got a list.",
    });
    const config = defineConfig({ settings });
    expect(() => config.read({ env: { DROVER_CONFIG: "/nowhere/drover.yaml" } })).toThrow(
      /DROVER_CONFIG: expected a file .*ENOENT/,
    );
  });

  it("warns of unknown variables, except those of other programs", () => {
    const { warnings } = read({
      env: { DROVER_LISTN: "x", DROVER_AGENT_NAME: "n", OTHER: "y" },
      otherNames: ["DROVER_AGENT_*"],
    });
    expect(warnings).toEqual([
      "DROVER_LISTN in the environment is not a setting and does nothing. Did you mean DROVER_LISTEN?",
    ]);
  });

  it("leaves the settings of other programs in a shared file alone", () => {
    const file = "agent: {name: n, deep: [1]}\nagent_slots: 3\npool_size: 4\n";
    expect(read({ file, otherNames: ["DROVER_AGENT_*"] }).values.poolSize).toBe(4);
  });

  it("asks the rules between settings once each is right", () => {
    const config = defineConfig({
      settings,
      check: (values) =>
        values.insecure && values.poolSize < 5 ? [{ name: "DROVER_POOL_SIZE", message: "expected 5 or more." }] : [],
    });
    expect(() => config.read({ env: { DROVER_TOKEN: "t", DROVER_INSECURE: "1", DROVER_POOL_SIZE: "4" } })).toThrow(
      "DROVER_POOL_SIZE: expected 5 or more.",
    );
    expect(() => config.read({ env: { DROVER_TOKEN: "t", DROVER_INSECURE: "1", DROVER_POOL_SIZE: "x" } })).not.toThrow(
      "5 or more",
    );
  });

  it("refuses a declaration whose default does not parse or whose name stands twice", () => {
    const broken = { ...settings.poolSize, default: 0 };
    expect(() => defineConfig({ settings: { broken } })).toThrow(
      "default of DROVER_POOL_SIZE to be a whole number from 1 to 100, got 0",
    );
    expect(() => defineConfig({ settings: { one: settings.token, two: settings.token } })).toThrow(
      "got DROVER_TOKEN again",
    );
  });
});
