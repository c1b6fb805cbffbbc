import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { Commands } from "./child.ts";
import type { ContestantName, Profile } from "./contestant.ts";

/** A child process that submits or works for one contestant. */
export interface Role {
  call<Name extends keyof Commands>(
    command: Name,
    argument?: Parameters<Commands[Name]>[0],
    limitMs?: number,
  ): Promise<Awaited<ReturnType<Commands[Name]>>>;
  /** Ends the process; resolves when it is gone. */
  end(): Promise<void>;
}

const children = new Set<ChildProcess>();

/** Starts a child that has loaded its contestant and connected. */
export async function startRole(options: {
  contestant: ContestantName;
  role: "producer" | "worker";
  url: string;
  profile: Profile;
}): Promise<Role> {
  const child = fork(
    join(import.meta.dirname, "main.ts"),
    ["child", options.contestant, options.role, options.url, options.profile],
    {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { ...process.env, NODE_ENV: "production", NODE_NO_WARNINGS: "1" },
    },
  );
  children.add(child);
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  void gone.then(() => {
    children.delete(child);
    for (const { reject } of waiting.values()) reject(new Error(`the ${options.role} of ${options.contestant} ended`));
  });
  let lastId = 0;
  const expect = (id: number, what: string, limitMs: number) =>
    new Promise<never>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${options.contestant}: ${what} took longer than ${limitMs} ms`)),
        limitMs,
      );
      waiting.set(id, {
        resolve: (value) => (clearTimeout(timer), resolve(value)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      });
    });
  const ready = expect(0, "starting", 60_000);
  child.on("message", ({ id = 0, result, error }: { id?: number; result?: unknown; error?: string }) => {
    const waiter = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) waiter?.resolve(result as never);
    else waiter?.reject(new Error(error));
  });
  await ready;
  return {
    call(command, argument, limitMs = 180_000) {
      const id = ++lastId;
      const answer = expect(id, command, limitMs);
      child.send({ id, command, argument: argument ?? {} });
      return answer;
    },
    async end() {
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill("SIGKILL"), 3000);
      await gone;
      clearTimeout(timer);
    },
  };
}

/** Ends every child that is left: the way out after a failure. */
export function endRoles(): void {
  for (const child of children) child.kill("SIGKILL");
}
