import { defineConfig } from "oxlint";

// What a part of the house may not import. Between packages turbo.json holds the layers; here are those inside apps.
const dockerode = { name: "dockerode", message: "Only apps/agent/src/docker knows Docker: go through it." };
const processState = {
  name: "node:process",
  importNames: ["default", "argv", "env", "exit", "exitCode", "on", "once", "stdin", "stdout", "stderr"],
  message: "Only main.ts reads the process's state: take what you need as an argument.",
};
const database = { group: ["@drover/db/**"], message: "Clients share the contract, never the database." };
const sqlLibrary = { group: ["postgres", "drizzle-orm", "drizzle-orm/**"], message: "All SQL lives in db/." };
const protobuf = {
  group: ["@drover/proto/**", "@bufbuild/**", "@connectrpc/**"],
  message: "Operations know no protobuf: translate in rpc/ or compat/.",
};
const transport = { group: ["**/rpc/**", "**/compat/**"], message: "Operations do not know who calls them." };
const worker = { group: ["@drover/worker/**"], message: "Only the API's tests run workers." };
const node = { group: ["node:*"], message: "Decisions are pure: what they need comes as an argument." };
const agentDatabase = {
  group: ["@drover/db/query/**", "@drover/db/schema/**"],
  message: "An agent may do only what the node protocol offers: @drover/db/node.",
};

/** An override replaces the rule as a whole, so each names everything that holds there. */
function forbidImports(paths: { name: string; message: string }[], patterns: { group: string[]; message: string }[]) {
  return { "no-restricted-imports": ["error", { paths, patterns }] } as const;
}

const general = [dockerode, processState];

export default defineConfig({
  plugins: ["typescript", "import", "unicorn", "oxc", "promise", "vitest"],
  categories: { correctness: "error", suspicious: "error" },
  options: { typeAware: true, reportUnusedDisableDirectives: "error" },
  ignorePatterns: ["proto/gen", "**/dist"],
  rules: {
    "max-lines": ["error", { max: 400 }],
    "no-console": "error",
    "no-restricted-globals": ["error", { name: "process", message: processState.message }],
    "import/no-default-export": "error",
    "import/no-cycle": "error",
    "promise/always-return": "off", // async functions already say what they return
    "typescript/no-explicit-any": "error",
    "typescript/no-non-null-assertion": "error",
    "typescript/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    "typescript/consistent-type-imports": "error",
    "typescript/consistent-return": "off", // tsc's noImplicitReturns does it, and knows undefined
    "typescript/no-unsafe-type-assertion": "off", // what comes from JSON or SQL is asserted once, at the edge
    "typescript/unbound-method": "off", // factories return plain objects without `this`
    "typescript/no-misused-spread": "off", // spreading a text into its code points is meant
    "import/no-named-as-default-member": "off", // wants named imports that CommonJS packages do not have
    "typescript/no-meaningless-void-operator": "off", // `void` keeps a one-line arrow from returning
    "no-unmodified-loop-condition": "off", // stop() modifies it from outside
    "vitest/valid-expect": ["error", { maxArgs: 2 }], // the second says what was tried
    "vitest/expect-expect": ["error", { assertFunctionNames: ["expect*", "assert*", "fc.assert"] }],
    "unicorn/consistent-function-scoping": "off", // a helper may stand beside its only use
    ...forbidImports(general, [sqlLibrary]),
  },
  overrides: [
    { files: ["db/**"], rules: forbidImports(general, []) },
    { files: ["packages/domain/**"], rules: forbidImports(general, [sqlLibrary, node]) },
    { files: ["apps/api/**"], rules: forbidImports(general, [sqlLibrary, worker]) },
    { files: ["apps/api/src/operation/**"], rules: forbidImports(general, [sqlLibrary, protobuf, transport, worker]) },
    { files: ["apps/agent/**"], rules: forbidImports(general, [sqlLibrary, agentDatabase]) },
    { files: ["apps/agent/src/docker/**"], rules: forbidImports([processState], [sqlLibrary, agentDatabase]) },
    { files: ["apps/cli/**", "apps/dashboard/**"], rules: forbidImports(general, [sqlLibrary, database]) },
    {
      files: ["**/main.ts", "scripts/**", "apps/cli/src/output.ts"],
      rules: { "no-console": "off", "no-restricted-globals": "off", "no-restricted-imports": "off" },
    },
    {
      // A test plays the world around the code: it may look at tables and at the process.
      files: ["**/*.test.ts", "**/testing*.ts"],
      rules: {
        "no-restricted-globals": "off",
        "no-restricted-imports": "off",
        "typescript/no-base-to-string": "off", // fast-check's values are unknown
        "vitest/no-conditional-expect": "off", // properties branch on what they generated
      },
    },
    { files: ["*.config.ts", "scripts/test-*.ts"], rules: { "import/no-default-export": "off" } }, // their tools ask for one
  ],
});
