import { createClient } from "@connectrpc/connect";
import { ClassService } from "@drover/proto/drover/class";
import { NamespaceService } from "@drover/proto/drover/namespace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../testing.ts";

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.close());

const client = () => createClient(NamespaceService, api.transport);

describe("NamespaceService", () => {
  it("makes a namespace that can be worked in at once, beside the others", async () => {
    const { namespace } = await client().createNamespace({ name: "team-a" });
    expect(namespace?.name).toBe("team-a");
    const { namespaces } = await client().listNamespaces({});
    expect(namespaces.map(({ name }) => name)).toEqual(["default", "team-a"]);
    const classes = createClient(ClassService, api.transport);
    const headers = { "drover-namespace": "team-a" };
    await classes.createClass({ name: "own" }, { headers });
    expect((await classes.listClasses({}, { headers })).classes.map(({ name }) => name)).toEqual([
      "cpu_long",
      "cpu_short",
      "gpu",
      "gpu_slurm",
      "own",
    ]);
    expect((await classes.listClasses({})).classes.map(({ name }) => name)).not.toContain("own");
  });

  it("refuses a name that is taken or none", async () => {
    await expect(client().createNamespace({ name: "default" })).rejects.toThrow(
      'There is a namespace "default" already.',
    );
    await expect(client().createNamespace({ name: "Team A" })).rejects.toThrow("name");
  });
});
