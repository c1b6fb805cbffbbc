import { markdownTable } from "./markdown.ts";
import { configFileName, type Setting, type Settings } from "./setting.ts";

/** The settings of an app as a markdown table for its docs. */
export function settingTable(settings: Settings): string {
  const file = [
    `\`${configFileName}\``,
    "not set",
    "A YAML or JSON file with settings: their names without the prefix, in lower case, nested if you like. The environment wins over it.",
  ];
  return markdownTable(["Setting", "Default", "Meaning"], [...Object.values(settings).map(row), file]);
}

function row(setting: Setting): string[] {
  const notes = [`Expects ${setting.kind.expects}.`, ...(setting.secret ? ["Never logged."] : [])];
  return [`\`${setting.name}\``, defaultText(setting), plain([setting.doc, ...notes].join(" "))];
}

/** Stars outside of code are meant as such, and not as emphasis. */
function plain(text: string): string {
  return text.replace(/`[^`]*`|\*/g, (found) => (found === "*" ? "\\*" : found));
}

function defaultText(setting: Setting): string {
  if (setting.default !== undefined) return `\`${String(setting.default)}\``;
  return setting.optional ? "not set" : "**required**";
}
