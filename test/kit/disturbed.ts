// Runs inside a broker process, before anything of its own: `node --import`.
import type { Disturbance } from "./disturbances.ts";

const RealDate = Date;
let shiftMs = 0;

globalThis.Date = class extends RealDate {
  constructor(...given: unknown[]) {
    super(...((given.length === 0 ? [RealDate.now() + shiftMs] : given) as [number]));
  }
  static override now(): number {
    return RealDate.now() + shiftMs;
  }
} as DateConstructor;

process.on("message", (message: Disturbance) => {
  if (message.disturb === "clock") shiftMs = message.shiftMs;
  else if (message.disturb === "block") {
    const until = performance.now() + message.ms;
    while (performance.now() < until);
  } else return;
  process.send?.({ disturbed: message.disturb });
});
// Waiting for disturbances keeps no process alive.
process.channel?.unref();
