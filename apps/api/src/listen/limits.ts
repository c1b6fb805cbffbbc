/** What one connection may cost the server. */
export interface Limits {
  /** Header fields of one request. */
  maxHeaderBytes: number;
  /** Body of one request that is not an RPC; RPCs are bounded per message (rpc/size.ts). */
  maxBodyBytes: number;
  maxConnections: number;
  /** Calls at once on one HTTP/2 connection. */
  maxConcurrentStreams: number;
  /** From the connection to the first bytes that tell its protocol, TLS handshake included. */
  prefaceTimeoutMs: number;
  headersTimeoutMs: number;
  /** From the headers to the last byte of the request. */
  requestTimeoutMs: number;
  /** How long a connection without calls is kept. */
  idleTimeoutMs: number;
}

export const defaultLimits: Limits = {
  maxHeaderBytes: 16 * 1024,
  maxBodyBytes: 16 * 1024 * 1024,
  maxConnections: 10_000,
  maxConcurrentStreams: 1000,
  prefaceTimeoutMs: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 120_000,
  idleTimeoutMs: 120_000,
};
