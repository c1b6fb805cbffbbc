import type { ConnectRouterOptions } from "@connectrpc/connect";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";

export interface SizeOptions {
  /** The largest message that is read, after decompression. */
  readMaxBytes?: number;
  /** The largest message that is sent. */
  writeMaxBytes?: number;
  /** Messages below this size are sent as they are. */
  compressMinBytes?: number;
  /** The longest time-out that a client may ask for. */
  maxTimeoutMs?: number;
}

const mebibyte = 1024 * 1024;
// A Node timer overflows after 24.8 days and then fires at once: a client's time-out must stay below that.
const weekMs = 7 * 24 * 3600 * 1000;

/** Router options that bound what one call may cost: message sizes, time-out, compression. */
export function createSizeOptions({
  readMaxBytes = 16 * mebibyte,
  writeMaxBytes = 16 * mebibyte,
  compressMinBytes = 1024,
  maxTimeoutMs = weekMs,
}: SizeOptions = {}): ConnectRouterOptions {
  return {
    readMaxBytes,
    writeMaxBytes,
    compressMinBytes,
    maxTimeoutMs,
    acceptCompression: [compressionGzip, compressionBrotli],
  };
}
