import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packTestRoot } from "./testing.ts";

export interface TestRegistry extends AsyncDisposable {
  /** host:port, as image names begin. */
  address: string;
  /** How often a manifest was fetched. */
  manifests: string[];
  /** Lets the layers that were asked for go out; before, they stop half way. */
  release(): void;
}

/**
 * A registry that knows one small image under every name but `absent`. With `isHeld` it stops in the middle
 * of the layer until it is released. Each registry serves another layer, so that no engine has it already.
 */
export async function startTestRegistry({ isHeld = false } = {}): Promise<TestRegistry> {
  const image = await makeImage();
  const held: (() => void)[] = [];
  const manifests: string[] = [];
  let isReleased = !isHeld;

  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const isManifest = path.includes("/manifests/");
    if (path.startsWith("/v2/absent/")) {
      response.writeHead(404, { "content-type": "application/json" }).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
      return;
    }
    if (isManifest && request.method === "GET") manifests.push(path);
    const blob = isManifest ? image.manifest : image.blobs.get(path.slice(path.lastIndexOf("/") + 1));
    if (blob === undefined) {
      response.writeHead(path === "/v2/" ? 200 : 404).end();
      return;
    }
    response.writeHead(200, {
      "content-type": isManifest ? image.mediaType : "application/octet-stream",
      "content-length": blob.length,
      "docker-content-digest": digestOf(blob),
    });
    if (request.method === "HEAD" || isReleased || isManifest || blob.length < 10_000) {
      response.end(request.method === "HEAD" ? undefined : blob);
      return;
    }
    response.write(blob.subarray(0, blob.length / 2));
    held.push(() => response.end(blob.subarray(blob.length / 2)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const facts = server.address();
  const port = typeof facts === "object" && facts !== null ? facts.port : 0;
  return {
    address: `127.0.0.1:${port}`,
    manifests,
    release() {
      isReleased = true;
      for (const send of held.splice(0)) send();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function makeImage(): Promise<{ manifest: Buffer; mediaType: string; blobs: Map<string, Buffer> }> {
  const folder = await mkdtemp(join(tmpdir(), "drover-registry-"));
  // The folder's times go into the archive, so that each layer differs from those of earlier tests.
  const layer = await readFile(await packTestRoot(folder));
  await rm(folder, { recursive: true });
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
    }),
  );
  const kind = "application/vnd.docker";
  const mediaType = `${kind}.distribution.manifest.v2+json`;
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: `${kind}.container.image.v1+json`, size: config.length, digest: digestOf(config) },
      layers: [{ mediaType: `${kind}.image.rootfs.diff.tar`, size: layer.length, digest: digestOf(layer) }],
    }),
  );
  return { manifest, mediaType, blobs: new Map([config, layer].map((blob) => [digestOf(blob), blob])) };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
