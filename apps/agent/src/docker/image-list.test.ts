import { describe, expect, it } from "vitest";
import { connect } from "./connect.ts";
import { listImageNames } from "./image-list.ts";
import { findTestEngine, testImage } from "./testing.ts";

const engine = await findTestEngine();

describe.skipIf(engine.missing !== undefined)(`the list of images ${engine.missing ?? ""}`, () => {
  it("has images by their tags, sorted, and no more than asked for", async () => {
    const docker = connect({ host: engine.host });
    const answer = await listImageNames(docker);
    const names = answer.ok ? answer.value : [];
    expect(names).toContain(testImage);
    expect(names).toEqual(names.toSorted());
    expect(await listImageNames(docker, { maxNames: 1 })).toMatchObject({ ok: true, value: [expect.any(String)] });
  });
});

describe("the list of images", () => {
  it("is unknown where no engine answers", async () => {
    const docker = connect({ host: "unix:///no/such/socket" });
    expect(await listImageNames(docker)).toMatchObject({ ok: false, fault: "unknown" });
  });
});
