import { existsSync, readFileSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { claimKey } from "./executor.ts";
import { folderOf, prepareFolder, sweepFolders } from "./folder.ts";
import { requestOf, temporaryFolder } from "./testing.ts";

describe("the folder of an attempt", () => {
  it("is named by tenant, id and fence, and no text of a client leads out of the base", () => {
    const request = requestOf({ tenant: "gepa" }, { taskId: "run-1" });
    expect(folderOf("/base", request)).toBe(`/base/gepa/run-1-${request.fence}`);
    for (const text of ["..", "../..", "/etc", ".", "", "a/../../b", "\0", "x".repeat(500), ".hidden"]) {
      const folder = folderOf("/base", requestOf({ tenant: text }, { taskId: text }));
      expect(folder.split("/"), text).toHaveLength(4);
      expect(folder).toMatch(/^\/base\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}\/[^/]{1,150}$/);
    }
  });

  it("holds the payload and is closed to the host's other users", async () => {
    const base = temporaryFolder();
    const folder = await prepareFolder({ base }, requestOf({}, { payload: { ü: null } }));
    expect(readFileSync(join(folder, "payload.json"), "utf8")).toBe('{"ü":null}');
    expect(statSync(join(folder, "..")).mode & 0o777).toBe(0o700);
    expect(statSync(folder).mode & 0o777).toBe(0o777);
  });

  it("is written to through no link that a task left there", async () => {
    const base = temporaryFolder();
    const request = requestOf({});
    const folder = await prepareFolder({ base }, request);
    const victim = join(base, "victim");
    writeFileSync(victim, "safe");
    unlinkSync(join(folder, "payload.json"));
    symlinkSync(victim, join(folder, "payload.json"));
    await prepareFolder({ base }, request);
    expect(readFileSync(victim, "utf8")).toBe("safe");
    expect(readFileSync(join(folder, "payload.json"), "utf8")).toBe('{"n":1}');
  });

  it("is removed when it is old and not held", async () => {
    const base = temporaryFolder();
    const [old, held, young] = [requestOf({}), requestOf({}), requestOf({})];
    for (const request of [old, held, young]) await prepareFolder({ base }, request);
    for (const request of [old, held]) utimesSync(folderOf(base, request), 1, 1);
    expect(await sweepFolders(base, new Set([claimKey(held)]), 3600)).toEqual([folderOf(base, old)]);
    expect([old, held, young].map((request) => existsSync(folderOf(base, request)))).toEqual([false, true, true]);
    expect(await sweepFolders(join(base, "absent"), new Set(), 0)).toEqual([]);
  });
});
