import { existsSync, readFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { noCounts } from "./counts.ts";
import type { State } from "./state.ts";
import { switchesSchema } from "./switches.ts";
import { worldSchema } from "./world.ts";

/**
 * The whole state in one file, replaced as a whole. Requests that change something wait for a write that
 * began after their change; those that come while one is running share the next.
 */
export class StateFile {
  readonly #path: string;
  readonly #state: State;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(path: string, state: State) {
    this.#path = path;
    this.#state = state;
  }

  save(): Promise<void> {
    // A write that failed was told to those who waited for it; the next one is tried all the same.
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        this.#running = this.#write();
        return this.#running;
      });
    return this.#next;
  }

  async #write(): Promise<void> {
    const next = `${this.#path}.tmp`;
    // Only for its owner: the file holds live tokens.
    const file = await open(next, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify(this.#state));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, this.#path);
  }
}

export function readStateFile(path: string): State | undefined {
  if (!existsSync(path)) return undefined;
  const state = JSON.parse(readFileSync(path, "utf8")) as State;
  if (state.v !== 1) throw new Error(`${path} was written by another version of the simulator`);
  // What an older one did not know yet is as it is on a new start.
  return {
    ...state,
    switches: switchesSchema.parse(state.switches),
    world: worldSchema.parse(state.world),
    counts: { ...noCounts(), ...state.counts },
  };
}
