import type { TomlError } from "smol-toml";
import { quote } from "@drover/document/source/fault";

/** What is wrong with TOML, and the line that it is about: "invalid value" alone does not say of what. */
export function tomlFault({ message, line }: TomlError, toml: string): string {
  const [first = ""] = message.replace("Invalid TOML document: ", "").split("\n");
  const written = toml.split("\n")[line - 1]?.trim() ?? "";
  return `Expected TOML: ${first}${written === "" ? "" : `, in ${quote(written)}`}.`;
}
