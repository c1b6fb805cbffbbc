import { Code, ConnectError } from "@connectrpc/connect";

const passing = new Set([
  Code.Unavailable,
  Code.Canceled,
  Code.DeadlineExceeded,
  Code.Aborted,
  Code.Internal,
  Code.Unknown,
]);

/**
 * Calls until an answer comes, as a careful client does: what broke or was cut off is asked again with the same id.
 * An answer that the server itself calls a fault of its own (internal) is not passing trouble and is thrown.
 */
export async function insist<T>(call: () => Promise<T>, { timeoutMs = 30_000 } = {}): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const fault = ConnectError.from(error);
      const isOurs = fault.code === Code.Internal && fault.rawMessage.startsWith("The server failed");
      if (isOurs || !passing.has(fault.code) || performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 30 + Math.random() * 40));
    }
  }
}
