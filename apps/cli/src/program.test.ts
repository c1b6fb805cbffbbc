import { expect, it } from "vitest";
import { shareEnv } from "./program.ts";

it("keys of providers reach the agent, and no other program that is started with it", () => {
  const env = { PATH: "/bin", OPENAI_API_KEY: "k", DROVER_AGENT_LLM_KEY_VLLM: "k", DROVER_LISTEN: "127.0.0.1:1" };
  expect(shareEnv("agent", env)).toEqual(env);
  expect(shareEnv("api", env)).toEqual({ PATH: "/bin", DROVER_LISTEN: "127.0.0.1:1" });
});
