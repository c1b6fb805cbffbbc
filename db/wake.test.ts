import type { SQLWrapper } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { expect, it, vi } from "vitest";
import type { Executor } from "./client.ts";
import { createWaker } from "./wake.ts";

const dialect = new PgDialect();

/** Remembers the hints of each statement. */
function recorder(answer: () => Promise<[]> = async () => []) {
  const sent: string[][] = [];
  const db: Executor = {
    run: async (statement: SQLWrapper) => {
      sent.push(dialect.sqlToQuery(statement.getSQL()).params.find((value) => Array.isArray(value)) as string[]);
      return answer();
    },
  };
  return { db, sent };
}

it("sends the first hint at once and gathers the others, each named once, into one statement per interval", async () => {
  vi.useFakeTimers();
  try {
    const { db, sent } = recorder();
    const waker = createWaker({ db, intervalMs: 10 });
    waker.wake("class:a");
    expect(sent).toEqual([["class:a"]]);
    for (let n = 0; n < 100; n += 1) waker.wake(n % 2 === 0 ? "class:a" : "class:b");
    await vi.advanceTimersByTimeAsync(9);
    expect(sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual([["class:a"], ["class:a", "class:b"]]);
    await vi.advanceTimersByTimeAsync(100);
    expect(sent).toHaveLength(2);
    waker.wake("class:c");
    expect(sent).toHaveLength(3);
  } finally {
    vi.useRealTimers();
  }
});

it("survives a database that does not answer, and goes on sending", async () => {
  vi.useFakeTimers();
  try {
    const { db, sent } = recorder(() => Promise.reject(new Error("away")));
    const waker = createWaker({ db, intervalMs: 10 });
    waker.wake("class:a");
    waker.wake("class:b");
    await vi.advanceTimersByTimeAsync(10);
    expect(sent).toEqual([["class:a"], ["class:b"]]);
  } finally {
    vi.useRealTimers();
  }
});
