/**
 * What a worker does with data keys that are being rotated, in a process of its own that may die at any of its steps. Gets
 * `RotatingOrders` from its parent once it is ready, works until there is nothing to do but wait, and says which.
 */
import { once } from "node:events";
import type { KeyStore, SealedStore } from "../../src/broker/keys/ports.ts";
import { advanceRotation } from "../../src/broker/keys/rotate-data-keys.ts";
import { readSettings } from "../../src/config/settings.ts";
import { compose } from "../../src/main/compose.ts";
import { rootKeysetOf } from "../../src/main/root-keys.ts";
import { makeLog } from "../../src/ops/log.ts";
import type { RotatingOrders, Step } from "./rotating-orders.ts";

const counted = new Map<string, number>();
let die: RotatingOrders["die"];
let offsetMs = 0;
function step(at: Step): void {
  const nth = (counted.get(at) ?? 0) + 1;
  counted.set(at, nth);
  if (die?.at === at && die.nth === nth) process.kill(process.pid, "SIGKILL");
}

/** `of`, with a step before and after each call of `name`. */
function stepping<T extends object>(of: T, name: keyof T, [before, after]: readonly [Step, Step]): T {
  return new Proxy(of, {
    get(_, asked) {
      const it = Reflect.get(of, asked);
      if (typeof it !== "function") return it;
      if (asked !== name) return it.bind(of);
      return async (...args: unknown[]) => {
        step(before);
        const answer = await it.apply(of, args);
        step(after);
        return answer;
      };
    },
  });
}

const settings = readSettings();
const broker = await compose({
  settings,
  rootKeyset: await rootKeysetOf(settings),
  log: makeLog({ level: "info" }),
  storeOffsetMs: () => offsetMs,
});
await broker.ready();
const { rotations } = broker;
const ports = {
  ...rotations,
  sealed: stepping<SealedStore>(
    stepping<SealedStore>(rotations.sealed, "find", ["find", "found"]),
    "replaceInGrant",
    ["replace", "replaced"],
  ),
  keys: stepping<KeyStore>(rotations.keys, "change", ["change", "changed"]),
};
process.send!("ready");
const [orders] = (await once(process, "message")) as [RotatingOrders];
({ die, offsetMs } = orders);
for (;;) {
  const answer = await advanceRotation(ports, orders.owner, { workMs: 500, timing: orders.timing });
  if (answer === "goes_on") continue;
  await new Promise((resolve) => process.send!(answer, resolve));
  process.exit(0);
}
