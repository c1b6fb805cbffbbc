import { readFileSync, writeFileSync } from "node:fs";

/**
 * Completes package-lock.json with the binaries of platforms that the registry in use does not carry. Packages name one
 * binary package for each platform; npm leaves those out that it cannot find, and `npm ci` then refuses the file.
 * Run it after every `npm install` against a partial mirror. What is added has no checksum and is never fetched here.
 */
interface Entry {
  version?: string;
  cpu?: string[];
  os?: string[];
  libc?: string[];
  dev?: boolean;
  optional?: boolean;
  optionalDependencies?: Record<string, string>;
}

const file = "package-lock.json";
const lock = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, Entry> };
const added: string[] = [];
for (const [parent, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const platform = platformOf(name);
    if (parent === "" || platform === undefined || found(parent, name)?.version === version) continue;
    const top = `node_modules/${name}`;
    const path = lock.packages[top] === undefined ? top : `${parent}/${top}`; // beside another version of it
    const dev = entry.dev === true ? { dev: true } : {};
    lock.packages[path] = { version, ...platform, ...dev, optional: true };
    added.push(name);
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, "en")));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length === 0 ? "Nothing was missing." : `Added ${added.length}: ${added.join(", ")}`);

/** What the package at `parent` would load by this name: the nearest one upwards. */
function found(parent: string, name: string): Entry | undefined {
  for (let at = parent; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const entry = lock.packages[at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`];
    if (entry !== undefined || at === "") return entry;
  }
}

/** By the naming that all of them share: `…-linux-x64-musl`, `…/darwin-arm64`, `…-win32-ia32-msvc`. */
function platformOf(name: string): Pick<Entry, "os" | "cpu" | "libc"> | undefined {
  const [, system = "", processor = "", rest = ""] =
    /[-/](android|darwin|freebsd|linux|openharmony|wasm32|win32|windows)-([a-z0-9]+)(.*)$/.exec(name) ?? [];
  if (system === "") return undefined;
  if (system === "wasm32") return { cpu: ["wasm32"] };
  const os = system === "windows" ? "win32" : system;
  const cpu = { "64": "x64", armv7: "arm", aarch64: "arm64" }[processor] ?? processor;
  const libc = os !== "linux" || rest === "" ? undefined : rest.includes("musl") ? "musl" : "glibc";
  return { cpu: [cpu], os: [os], ...(libc === undefined ? {} : { libc: [libc] }) };
}
