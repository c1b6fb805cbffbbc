import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { DroverError } from "@drover/domain/error";

/** A file for a secret, opened before there is the secret, so that none is lost to a folder that cannot be written. */
export interface SecretFile {
  readonly path: string;
  /** Puts the file in its place, as a whole and readable by its owner only. */
  write(text: string): Promise<void>;
  /** Leaves everything as it was. */
  discard(): Promise<void>;
}

/** Makes sure that a file can be written; one that is there is kept unless it may be replaced. */
export async function openSecretFile(name: string, { isReplaced }: { isReplaced: boolean }): Promise<SecretFile> {
  const path = resolve(name);
  if (!isReplaced && (await exists(path))) {
    throw new DroverError("conflict", `There is a login in ${path} already.`, {
      hint: "the same with --replace, or with another --url-file",
    });
  }
  const draft = `${path}.draft`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rm(draft, { force: true });
    const file = await open(draft, "wx", 0o600);
    return {
      path,
      async write(text) {
        await file.writeFile(`${text}\n`);
        await file.sync();
        await file.close();
        await rename(draft, path);
      },
      async discard() {
        await file.close();
        await rm(draft, { force: true });
      },
    };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new DroverError("invalid", `Expected to be able to write ${path}: ${cause}.`, {
      hint: "another place with --url-file PATH",
      cause: error,
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
