import { get as httpGet } from "node:http";
import { get as httpsGet } from "node:https";

export interface HttpGetOptions {
  url: string;
  signal: AbortSignal;
  timeoutMs?: number;
  /** Takes any certificate: for a server on this machine that we started ourselves. */
  isOurs?: boolean;
}

/** Gets a page; rejects where nobody answers. */
export function getPage({
  url,
  signal,
  timeoutMs = 5000,
  isOurs = false,
}: HttpGetOptions): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]), agent: false };
    const request = url.startsWith("https:")
      ? httpsGet(url, { ...options, rejectUnauthorized: !isOurs })
      : httpGet(url, options);
    request.once("error", reject);
    request.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.once("error", reject);
    });
  });
}
