import { createClient } from "@connectrpc/connect";
import { BudgetService } from "@drover/proto/drover/budget";
import { LimitMetric, LimitService, LimitWindow } from "@drover/proto/drover/limit";
import { RunService } from "@drover/proto/drover/run";
import { WorkflowService } from "@drover/proto/drover/workflow";
import { describe, expect, it } from "vitest";
import { insist } from "./client.ts";
import { makeNode, setup } from "./setup.ts";
import { createWorld } from "./world.ts";

const replicas = 8;
const calls = 100;
const tokensPerMinute = 100n;
const budgetNanos = 300_000_000n;

const source = `
drover: workflow/v1
name: spend
input: {type: object}
steps:
  call: {llm: {model: echo/echo-slow, prompt: "one two three four", maxOutputTokens: 6}, retry: {attempts: 10, base: 100ms}}
`;

describe("a hundred calls over eight API processes, while holders and replicas are killed", () => {
  it("stay within a limit of tokens and a budget, refuse nothing that fits, and leave every counter as the ledger says", async () => {
    await using world = createWorld();
    const { databaseUrl, api, ledger } = await setup(world);
    const others = await Promise.all(Array.from({ length: replicas - 1 }, () => world.api({ databaseUrl })));
    const apis = [api, ...others];
    const limits = createClient(LimitService, api.transport());
    const budgets = createClient(BudgetService, api.transport());
    const rule = { name: "tpm", provider: "echo", metric: LimitMetric.TOKENS, window: LimitWindow.MINUTE };
    await limits.setLimit({ rule: { ...rule, allowance: tokensPerMinute } });
    await budgets.setBudget({ rule: { name: "cap", limitNanos: budgetNanos } });
    const price = {
      provider: "echo",
      model: "echo-slow",
      inputNanos: 1_000_000_000_000n,
      outputNanos: 1_000_000_000_000n,
    };
    await budgets.setPrice({ price });
    await createClient(WorkflowService, api.transport()).applyWorkflow({ source });

    const logins = await Promise.all([1, 2, 3].map((n) => makeNode(world, databaseUrl, `spender-${n}`)));
    const env = { DROVER_AGENT_DOCKER: "false", DROVER_AGENT_PROCESS: "false", DROVER_AGENT_LLM_ECHO: "true" };
    const agents = logins.map((login) => world.agent({ ...login, env }));
    await Promise.all(agents.map((agent) => agent.says("this host")));
    const starting = Promise.allSettled(
      Array.from({ length: calls }, (_, n) => {
        const runs = createClient(RunService, (apis[n % replicas] ?? api).transport());
        return insist(() => runs.startRun({ workflow: "spend", idempotencyKey: `n-${n}` }, { timeoutMs: 5_000 }));
      }),
    );

    const look = async () => {
      const [row] = await insist(
        () => ledger.sql<{ settled: number; held: number; spent: bigint; ended: number; calls: number }[]>`
        select coalesce(sum(e.input_tokens + e.output_tokens) filter (where e.kind = 'settle' and e.at > now() - interval '1 minute'), 0)::integer as settled,
               count(distinct e.call_id) filter (where e.kind = 'reserve')::integer as calls,
               coalesce(sum(e.cost_nanos), 0)::bigint as spent,
               (select count(*)::integer from drover.run_final) as ended
          from drover.ledger e`,
      );
      if (row === undefined) throw new Error("expected a row of the ledger");
      return row;
    };
    // The limit lets few of them through; meanwhile replicas and holders die with calls in hand.
    await expect.poll(async () => (await look()).settled, { timeout: 20_000 }).toBeGreaterThan(0);
    await Promise.all([apis[1]?.process.end("SIGKILL"), apis[2]?.process.end("SIGKILL"), agents[0]?.end("SIGKILL")]);
    const rest = [0, 3, 4, 5, 6, 7].map((n) => apis[n] ?? api);
    for (let n = 0; n < 20; n += 1) {
      const { settled } = await look();
      expect(settled).toBeLessThanOrEqual(Number(tokensPerMinute));
      const [limit] = (await createClient(LimitService, (rest[n % rest.length] ?? api).transport()).listLimits({}))
        .limits;
      expect((limit?.held ?? 0n) + (limit?.used ?? 0n)).toBeLessThanOrEqual(tokensPerMinute);
    }
    const started = await starting;
    const refused = started.filter((one) => one.status === "rejected").length;
    // What was sent to a replica that died is asked of another one under the same key.
    const runs = createClient(RunService, api.transport());
    await Promise.all(
      Array.from({ length: calls }, (_, n) => runs.startRun({ workflow: "spend", idempotencyKey: `n-${n}` })),
    );
    expect(refused).toBeLessThan(calls);
    expect((await look()).ended).toBeLessThan(calls);

    // Without the limit only the budget holds them, and they die on.
    await limits.setLimit({ rule: { ...rule, allowance: 1_000_000n } });
    await expect.poll(async () => (await look()).ended, { timeout: 30_000 }).toBeGreaterThan(10);
    await agents[1]?.end("SIGKILL");
    const [first] = logins;
    if (first !== undefined) world.agent({ ...first, env });
    await expect.poll(async () => (await look()).ended, { timeout: 60_000 }).toBe(calls);

    const states = await ledger.sql<{ state: string; class: string | null; count: number }[]>`
      select f.state, s.error ->> 'class' as class, count(*)::integer as count
        from drover.run_final f join drover.step s on s.run_id = f.run_id group by 1, 2 order by 1`;
    expect(states.map(({ state, class: word }) => [state, word])).toEqual([
      ["completed", null],
      ["failed", "budget_exceeded"],
    ]);
    const { spent } = await look();
    const [dearest] = await ledger.sql<{ held: bigint }[]>`
      select max(e.held_nanos)::bigint as held from drover.ledger e where e.kind = 'reserve'`;
    expect(Number(spent)).toBeLessThanOrEqual(Number(budgetNanos));
    // Nothing was refused that still fitted: what is left is less than a call holds.
    expect(Number(spent)).toBeGreaterThan(Number(budgetNanos) - Number(dearest?.held ?? 0));
    expect((await budgets.verifyLedger({})).differences).toEqual([]);
    expect(await ledger.faults()).toEqual([]);
  }, 120_000);
});
