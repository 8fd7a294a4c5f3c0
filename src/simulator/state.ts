import type { AuthorizationCode } from "./authorization-codes.ts";
import type { BrowserSession } from "./browser-sessions.ts";
import { type Counts, noCounts } from "./counts.ts";
import { defaultWorld } from "./default-world.ts";
import type { LoadedFault } from "./faults.ts";
import { defaultSwitches, type Switches } from "./switches.ts";
import type { TokenFamily } from "./token-families.ts";
import { type World, type WorldInput, worldSchema } from "./world.ts";

/** All that survives a restart: plain data, written to the state file as it is. */
export interface State {
  v: 1;
  /** Virtual time minus real time. */
  offset_ms: number;
  switches: Switches;
  world: World;
  families: TokenFamily[];
  codes: AuthorizationCode[];
  sessions: BrowserSession[];
  faults: LoadedFault[];
  counts: Counts;
}

export const newState = (world: WorldInput = defaultWorld()): State => ({
  v: 1,
  offset_ms: 0,
  switches: defaultSwitches(),
  // A copy: two simulators given one world must not share it.
  world: worldSchema.parse(structuredClone(world)),
  families: [],
  codes: [],
  sessions: [],
  faults: [],
  counts: noCounts(),
});
