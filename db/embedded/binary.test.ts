import { chmodSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { findBinaries, repairPackage } from "./binary.ts";

/** A package as npm unpacks it when it runs no scripts and keeps no modes. */
function setup(): string {
  const root = mkdtempSync(join(tmpdir(), "drover-package-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "native/bin"), { recursive: true });
  mkdirSync(join(root, "native/lib"));
  for (const name of ["bin/initdb", "bin/pg_ctl", "bin/postgres", "lib/libpq.so.5.18"]) {
    writeFileSync(join(root, "native", name), "");
    chmodSync(join(root, "native", name), 0o644);
  }
  const links = [{ source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" }];
  writeFileSync(join(root, "native/pg-symlinks.json"), JSON.stringify(links));
  return root;
}

it("makes the links and executable bits that npm left out, and leaves them alone the second time", () => {
  const root = setup();
  repairPackage(root);
  repairPackage(root);
  expect(readlinkSync(join(root, "native/lib/libpq.so.5"))).toBe("libpq.so.5.18");
  expect(statSync(join(root, "native/bin/postgres")).mode & 0o111).toBe(0o111);
});

it("finds PostgreSQL 18 on this platform", () => {
  expect(findBinaries()).toMatchObject({ major: "18", postgres: expect.stringMatching(/native\/bin\/postgres$/) });
});
