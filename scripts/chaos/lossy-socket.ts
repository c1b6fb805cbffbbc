import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";

/** A socket before an engine's, which can lose a reply. */
export interface LossySocket extends AsyncDisposable {
  host: string;
  /** The next request whose head contains this is done, and its caller hears nothing but a broken connection. */
  loseReplyTo(text: string): void;
  /** How many replies were lost. */
  readonly lost: number;
}

/** Stands between an agent and its engine. */
export async function startLossySocket(host: string, folder: string): Promise<LossySocket> {
  const path = join(folder, "lossy.sock");
  const sockets = new Set<Socket>();
  let wanted: string | undefined;
  let lost = 0;
  const server = createServer((near) => {
    const far = connect(host.replace("unix://", ""));
    let isLosing = false;
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy()).on("close", () => (sockets.delete(from), to.destroy()));
    }
    near.on("data", (bytes) => {
      if (wanted !== undefined && bytes.includes(wanted)) {
        wanted = undefined;
        isLosing = true;
      }
      far.write(bytes);
    });
    far.on("data", (bytes) => {
      if (!isLosing) return void near.write(bytes);
      lost += 1;
      near.destroy();
      far.destroy();
    });
  });
  server.listen(path);
  await once(server, "listening");
  return {
    host: `unix://${path}`,
    loseReplyTo(text) {
      wanted = text;
    },
    get lost() {
      return lost;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
