import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { temporaryFolder } from "./executor/testing.ts";
import { openNotebook } from "./notebook.ts";

const log = createLog({ app: "test", level: "silent" });
const url = "postgres://drover_node_1_x:secret@db:5432/drover";

it("keeps what it was told for the next life, also where the password is another by then", () => {
  const folder = join(temporaryFolder(), "yet", "to", "be", "made");
  const first = openNotebook({ folder, url, log });
  expect(first.notes).toEqual({});
  first.note({ installation: "one" });
  first.note({ node: "gpu-01" });
  expect(first.notes).toEqual({ installation: "one", node: "gpu-01" });
  const second = openNotebook({ folder, url: url.replace("secret", "other"), log });
  expect(second.notes).toEqual({ installation: "one", node: "gpu-01" });
});

it("tells nothing to an agent of another login or database that shares the folder", () => {
  const folder = temporaryFolder();
  openNotebook({ folder, url, log }).note({ installation: "one" });
  for (const other of [url.replace("/drover", "/other"), url.replace("_1_", "_2_")])
    expect(openNotebook({ folder, url: other, log }).notes).toEqual({});
});

it("begins anew where its file is broken, and goes on where it cannot be written", () => {
  const folder = temporaryFolder();
  openNotebook({ folder, url, log }).note({ installation: "one" });
  const [file = ""] = readdirSync(folder);
  writeFileSync(join(folder, file), '{"installation": ');
  mkdirSync(join(folder, `${file}.draft`));
  const notebook = openNotebook({ folder, url, log });
  expect(notebook.notes).toEqual({});
  notebook.note({ installation: "two" });
  expect(notebook.notes).toEqual({ installation: "two" });
});
