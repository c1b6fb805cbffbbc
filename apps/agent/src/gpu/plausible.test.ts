import { expect, it } from "vitest";
import { findGpus } from "./inventory.ts";
import { fakeNvidiaSmi } from "./testing.ts";

it("leaves out numbers that cannot be, and a GPU's second row, and tells all others", async () => {
  const { path } = fakeNvidiaSmi({
    gpus: [
      { uuid: "GPU-a", utilizationPercent: 99_999, temperatureCelsius: -9999 },
      { uuid: "GPU-a" },
      { uuid: "GPU-c" },
    ],
  });
  const { gpus, problem } = await findGpus({ nvidiaSmi: path, rocmSmi: "/no/such/program" });
  expect(gpus.map(({ uuid }) => uuid)).toEqual(["GPU-a", "GPU-c"]);
  expect(gpus[0]).not.toHaveProperty("utilizationPercent");
  expect(gpus[0]).not.toHaveProperty("temperatureCelsius");
  expect(problem).toBe("GPU-a is listed twice.");
});
