import { expect, it } from "vitest";
import { isImage } from "./image-name.ts";

it.each(["redis", "redis:7-alpine", "localhost:5000/a/b:1", `a.example/x@sha256:${"0".repeat(64)}`])(
  "takes %s for the name of an image",
  (name) => expect(isImage(name)).toBe(true),
);

it.each([
  "",
  "../x",
  "a/../../x",
  "../../127.0.0.1:29555/x",
  "NOPE",
  "-x",
  "a b",
  "a\u0000",
  "http://x/y",
  "a".repeat(513),
])("takes %j for no name of an image", (name) => expect(isImage(name)).toBe(false));
