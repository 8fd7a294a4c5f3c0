import type { RotationTiming } from "../../src/domain/data-key-rotation.ts";
import type { KeyOwner } from "../../src/domain/sealed.ts";

/** Before and after each thing that a pass does. */
export const STEPS = ["find", "found", "replace", "replaced", "change", "changed"] as const;
export type Step = (typeof STEPS)[number];

export interface RotatingOrders {
  readonly owner: KeyOwner;
  readonly timing: RotationTiming;
  /** SIGKILL at the n-th of these steps, while others may be under way beside it. */
  readonly die: { readonly at: Step; readonly nth: number } | undefined;
  /** How far scripts are ahead of Redis' clock. */
  readonly offsetMs: number;
}
