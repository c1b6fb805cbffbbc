import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { ProbeAnswer } from "./probe.ts";

export interface HttpProbe {
  url: string;
  headers?: Record<string, string>;
  /** The certificate is not checked. */
  isUnchecked?: boolean;
  signal: AbortSignal;
}

/** Asks an address by HTTP; any answer from 200 to 399 is well. */
export function probeHttp({ url, headers = {}, isUnchecked = false, signal }: HttpProbe): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const options = {
      method: "GET",
      headers: { "user-agent": "drover-probe", ...headers },
      agent: false,
      signal,
    } as const;
    const request = url.startsWith("https:")
      ? requestHttps(url, { ...options, rejectUnauthorized: !isUnchecked })
      : requestHttp(url, options);
    request.on("response", (response) => {
      const { statusCode = 0 } = response;
      response.destroy();
      const isHealthy = statusCode >= 200 && statusCode < 400;
      resolve({ isHealthy, message: isHealthy ? "" : `Expected an answer from 200 to 399, got ${statusCode}.` });
    });
    request.on("error", reject);
    request.end();
  });
}
