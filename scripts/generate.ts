import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { renderCliPage } from "../apps/cli/src/page.ts";
import { editorSchema as environmentSchema } from "../packages/environment/src/editor-schema.ts";
import { editorSchema } from "../packages/workflow/src/editor-schema.ts";
import { run } from "./check-run.ts";
import { errorPage } from "./document/error-page.ts";
import { lifecyclePage } from "./document/lifecycle-page.ts";
import { metricPage, settingPage } from "./document/reference-page.ts";
import { schemaDump } from "./document/schema-dump.ts";

/** A file that a program writes, whole or between two markers. */
export interface Generated {
  /** Path from the root of the repository. */
  file: string;
  /** The generated part only: what stands between `<!-- NAME -->` and `<!-- /NAME -->` in a page written by hand. */
  between?: string;
  render(): string | Promise<string>;
}

/** Every generated document. Add an entry, run `npm run generate`, commit the file. */
const documents: Generated[] = [
  { file: "db/schema.sql", render: schemaDump },
  { file: "docs/cli.md", render: renderCliPage },
  { file: "docs/errors.md", render: errorPage },
  { file: "docs/lifecycle.md", render: lifecyclePage },
  { file: "docs/metrics.md", render: metricPage },
  { file: "docs/settings.md", render: settingPage },
  { file: "packages/environment/schema.json", render: () => JSON.stringify(environmentSchema()) },
  { file: "packages/workflow/schema.json", render: () => JSON.stringify(editorSchema()) },
];

const isCheck = process.argv.includes("--check");
const stale = [...(await generateContract()), ...(await generateDocuments())];
if (isCheck && stale.length > 0) {
  console.error(
    `These files are not what their generators write:\n  ${stale.join("\n  ")}\nRun npm run generate and commit them.`,
  );
  process.exitCode = 1;
}

/** TypeScript from the .proto files; a check generates beside, so that it never touches what others are working on. */
async function generateContract(): Promise<string[]> {
  if (!isCheck) {
    await run("buf", ["generate"]);
    return [];
  }
  const draft = mkdtempSync(join(tmpdir(), "drover-generate-"));
  try {
    await run("buf", ["generate", "--output", draft]);
    return differences(join(draft, "proto/gen"), "proto/gen");
  } finally {
    rmSync(draft, { recursive: true });
  }
}

async function generateDocuments(): Promise<string[]> {
  const changed: string[] = [];
  for (const document of documents) {
    const before = existsSync(document.file) ? readFileSync(document.file, "utf8") : "";
    const after = await format(document.file, place(document, before, await document.render()));
    if (after === before) continue;
    changed.push(document.file);
    if (!isCheck) writeFileSync(document.file, after);
  }
  return changed;
}

function place({ file, between }: Generated, before: string, text: string): string {
  if (between === undefined) return text;
  const [open, close] = [`<!-- ${between} -->`, `<!-- /${between} -->`];
  const [start, end] = [before.indexOf(open), before.indexOf(close)];
  if (start < 0 || end < start)
    throw new Error(`Expected ${file} to hold ${open} and ${close}, in this order. Add both lines.`);
  return `${before.slice(0, start + open.length)}\n\n${text.trim()}\n\n${before.slice(end)}`;
}

/** Written in the house's format, so that the format check and this one never disagree. */
async function format(file: string, text: string): Promise<string> {
  return /\.(md|ts|json|ya?ml)$/.test(file) ? await run("oxfmt", [`--stdin-filepath=${file}`], text) : text;
}

function differences(left: string, right: string): string[] {
  const list = (folder: string): string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  const read = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, "utf8") : undefined);
  return [...new Set([...list(left), ...list(right)])]
    .filter((name) => read(join(left, name)) !== read(join(right, name)))
    .map((name) => join(right, name));
}
