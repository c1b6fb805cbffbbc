import type Docker from "dockerode";
import { type Answer, ask } from "./answer.ts";

const maxOutputChars = 65_536;

/** Runs a command inside a container that runs, to its end; output beyond a bound is left out. */
export async function runInside(
  docker: Docker,
  nameOrId: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<Answer<{ exitCode: number; output: string }>> {
  return ask(timeoutMs, async (abortSignal) => {
    const options = { Cmd: [...command], AttachStdout: true, AttachStderr: true, abortSignal };
    const exec = await docker.getContainer(nameOrId).exec(options);
    const stream = await exec.start({ hijack: false, stdin: false, abortSignal });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk);
      if (size < maxOutputChars) chunks.push(bytes);
      size += bytes.length;
    }
    const { ExitCode: exitCode } = await exec.inspect({ abortSignal });
    if (exitCode === null) throw new Error("The engine does not know yet how the command ended.");
    return { exitCode, output: textOf(Buffer.concat(chunks)) };
  });
}

// Both streams in the order of their frames: eight bytes of header, the last four the length, then the text.
function textOf(bytes: Buffer): string {
  const texts: Buffer[] = [];
  for (let at = 0; at + 8 <= bytes.length;) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    texts.push(bytes.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(texts).toString("utf8");
}
