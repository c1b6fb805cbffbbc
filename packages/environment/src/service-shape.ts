import type { DisconnectPolicy, EnvValue } from "@drover/domain/environment/declaration";
import { byKind, list, named, record } from "@drover/document/shape/record";
import { documented, flag, mapped, number, placed, text, word, type Read } from "@drover/document/shape/shape";
import { duration } from "@drover/document/shape/unit";
import { similarTo } from "@drover/document/source/fault";
import { command } from "./shape/command.ts";
import { health } from "./shape/health.ts";
import { image } from "./shape/image.ts";
import { mount } from "./shape/mount.ts";
import { port } from "./shape/port.ts";
import { resources } from "./shape/resource.ts";
import {
  absolutePath,
  atMost,
  dockerName,
  labelExpected,
  labelPattern,
  labels,
  oneOrMore,
  scalarKinds,
  variableName,
} from "./shape/scalar.ts";

/** A service that must stop at a cut says when; without a number it is this. */
const stopAfterSeconds = 60;

const secret = record({
  name: "a secret",
  required: {
    secret: text({
      pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/,
      expected: "the name of a secret: letters, digits, _, . and -",
    }),
  },
});

const env = named(byKind<EnvValue>({ ...scalarKinds(), object: secret }), {
  name: "env",
  key: variableName,
});

const restartWord = word(["always", "on-failure", "never"]);
const restart = record({
  name: "a restart policy",
  optional: {
    when: restartWord,
    maxRestarts: documented(number({ min: 0, max: 10_000, whole: true }), "Absent: without end."),
    baseDelay: documented(duration({ min: 0 }), "Before the first restart; it doubles with each. 0.5 s."),
    maxDelay: documented(duration({ min: 0 }), "The longest before a restart; 30 s."),
  },
});

const placement = record({
  name: "a placement",
  optional: {
    node: documented(text({ max: 253 }), "The name of the only node that may run it."),
    labels: documented(labels(), "Labels that the node must have; an empty value asks only for the label."),
    notLabels: documented(labels(), "Labels that it must not have."),
    tolerates: documented(list(text({ max: 128 })), "Taints that are put up with; *: all."),
    strategy: documented(word(["binpack", "spread"]), "The fullest node that has room, or the emptiest."),
    models: documented(
      list(
        text({
          pattern: /^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[^\0]+$/,
          max: 1000,
          expected: "a path below the nodes' model folders",
        }),
      ),
      "Model files: nodes that have them are preferred.",
    ),
  },
});

const update = record({
  name: "an update policy",
  optional: {
    maxUnavailable: documented(number({ min: 1, max: 1000, whole: true }), "Replicas away at once; 1."),
    healthy: documented(duration({ min: 0 }), "How long a new replica must be healthy before the next; 5 s."),
    onFailure: documented(word(["pause", "rollback"]), "Stop there, or go back."),
  },
});

const onDisconnect = byKind<DisconnectPolicy>({
  text: mapped(word(["keep", "stop", "replace"]), (kind): DisconnectPolicy =>
    kind === "stop" ? { kind, afterSeconds: stopAfterSeconds } : { kind },
  ),
  object: mapped(
    record({ name: "a policy", required: { stopAfter: duration({ min: 1 }) } }),
    ({ stopAfter }): DisconnectPolicy => ({ kind: "stop", afterSeconds: stopAfter }),
  ),
});

const userText = text({
  pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$/,
  expected: "a user with or without a group, such as 1000:1000",
});

/** What becomes of containers that were changed by hand. */
export const drift = word(["converge", "observe"]);

const serviceRecord = record({
  name: "a service",
  optional: {
    image: documented(image(), "Such as redis:7-alpine, with @sha256:… where it is pinned."),
    pull: documented(word(["missing", "always", "never"]), "When the image is pulled; missing."),
    command: documented(command(), "In place of the image's command: a list, or a text without a shell's signs."),
    entrypoint: documented(command(), "In place of the image's entrypoint."),
    env: documented(atMost(500, env, "variables"), "Texts, numbers, flags, or {secret: NAME} of the node."),
    ports: documented(atMost(100, list(placed(port())), "ports"), "8080:80; without an address on 127.0.0.1."),
    mounts: documented(atMost(100, list(placed(mount())), "mounts"), "volume:/path, /host:/path, with :ro behind."),
    networks: documented(
      oneOrMore(placed(text(dockerName))),
      "Networks of the environment; the first is the main one.",
    ),
    dependsOn: documented(
      oneOrMore(placed(text({ pattern: labelPattern, expected: labelExpected }))),
      "Services that must be healthy before it starts.",
    ),
    health: health(),
    required: documented(flag(), "false: a failure of it does not make the environment fail."),
    restart: byKind<Read<typeof restart>>({ text: mapped(restartWord, (when) => ({ when })), object: restart }),
    resources: resources(),
    replicas: number({ min: 0, max: 1000, whole: true }),
    placement,
    update,
    onDisconnect: documented(onDisconnect, "On a node that cannot reach the database: keep, replace, {stopAfter: 5m}."),
    stopGrace: documented(duration({ min: 0, upTo: "a day" }), "From SIGTERM to SIGKILL; 10 s."),
    user: byKind({ text: userText, number: mapped(number({ min: 0, max: 4_294_967_294, whole: true }), String) }),
    workingDir: absolutePath(),
    readOnlyRoot: flag(),
    init: documented(flag(), "Docker's init as process 1: it hands on signals and clears away ended children."),
    drift: documented(drift, "What becomes of a container that was changed by hand."),
    labels: documented(labels(), "Of the containers."),
  },
});

/** Everything that a service may say. One without an image is read as well, so that all of its faults are told. */
export const service: typeof serviceRecord = {
  schema: { ...serviceRecord.schema, required: ["image"] },
  read(value, report) {
    const { fields } = value;
    // One slip is one fault, and that of a misspelt key is told below.
    const isMisspelt = [...(fields?.keys() ?? [])].some((key) => similarTo(key, ["image"]) !== undefined);
    if (fields !== undefined && !isMisspelt) report.add(value, 'Expected "image" in a service, got nothing.');
    return serviceRecord.read(value, report);
  },
};

export type RawService = Read<typeof service>;
