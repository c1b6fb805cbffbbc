import { readFileSync } from "node:fs";

// Loaded before a program, it has the wall clock of that process jump: on SIGUSR2 by as many milliseconds as the file says.
// The monotonic clock goes on as it does, and the machine's own clock is left alone.

const RealDate = Date;
let offsetMs = 0;

globalThis.Date = class extends RealDate {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(RealDate.now() + offsetMs);
    else super(...(given as [number]));
  }

  static override now(): number {
    return RealDate.now() + offsetMs;
  }
} as DateConstructor;

process.on("SIGUSR2", () => {
  offsetMs = Number(readFileSync(process.env["CLOCK_OFFSET_FILE"] ?? "", "utf8"));
  process.stdout.write(`the clock says ${new Date().toISOString()}\n`);
});
