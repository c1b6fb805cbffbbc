import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import type { NodeReply } from "@drover/db/node/replica";
import { createEngine } from "../docker/engine.ts";
import { createPuller } from "../docker/pull.ts";
import { createServiceEngine } from "../docker/service-engine.ts";
import { findTestEngine } from "../docker/testing.ts";
import { sendPulls } from "./pull.ts";

const engine = await findTestEngine();

describe.skipIf(engine.missing !== undefined)(`a pull ${engine.missing ?? ""}`, () => {
  it("of what is no image's name is an error, and leads no call of the engine anywhere else", async () => {
    if (engine.missing !== undefined) return;
    const { docker } = engine;
    const asked: string[] = [];
    const other = createServer((request, response) => {
      asked.push(request.url ?? "");
      response.end("{}");
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const told: NodeReply[] = [];
    const tools = {
      puller: createPuller({ engine: createEngine({ docker }) }),
      images: createServiceEngine({ docker }),
    };
    const images = ["../x", "", "a/../../x", `../../127.0.0.1:${port}/x`];
    const send = async (reply: NodeReply) => void told.push(reply);
    await sendPulls(tools, { images }, { send, signal: new AbortController().signal });
    expect(told).toEqual(
      images.map((image) => ({ pull: expect.objectContaining({ image, status: "error" }) as object })),
    );
    expect(asked).toEqual([]);
  });
});
