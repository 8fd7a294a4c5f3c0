/** One thing that can happen: in words, what kind of thing it is, and the world after it. */
export interface Step<World, Kind extends string = string> {
  readonly says: string;
  readonly kind: Kind;
  readonly to: World;
}

export interface Model<World, S extends Step<World>> {
  readonly initial: readonly World[];
  /** Everything that can happen next. */
  steps(world: World): readonly S[];
  /** Two worlds with the same text are the same state: whatever the future does not depend on is left out of it. */
  canonical(world: World): string;
  readonly invariants: readonly Invariant<World, S>[];
  /** Where the system has to be able to come back to, and from which states. Absent: not asked. */
  readonly recovery?: {
    readonly sentence: string;
    isGoal(world: World): boolean;
    mustReachGoal(world: World): boolean;
  };
}

/** A sentence about every step: undefined, or what is wrong with the step. A rule about states looks at `step.to`. */
export interface Invariant<World, S extends Step<World>> {
  readonly name: string;
  readonly sentence: string;
  check(from: World, step: S): string | undefined;
}

export interface Violation<World, S extends Step<World>> {
  readonly invariant: string;
  readonly because: string;
  readonly path: readonly { readonly from: World; readonly step: S }[];
  /** The shortest way there, in words. */
  readonly trace: string;
}

export interface Exploration<World, S extends Step<World>> {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** The first, and so the shortest, of each invariant. */
  readonly violations: readonly Violation<World, S>[];
}

/**
 * Visits every state that can be reached, breadth first, so that the first way found to a fault is a shortest one.
 * @param stopAt ends at the first violation of this invariant; "never" visits everything
 */
export function explore<World, S extends Step<World>>(
  model: Model<World, S>,
  stopAt: "first" | "never" | (string & {}) = "first",
  watch: { state?(world: World): void; step?(from: World, step: S): void } = {},
): Exploration<World, S> {
  const found = new Map<string, number>();
  const worlds: World[] = [];
  const cameFrom: number[] = [];
  const cameBy: (S | undefined)[] = [];
  const depths: number[] = [];
  const edges: number[] = [];
  const violations = new Map<string, Violation<World, S>>();
  let transitions = 0;

  const add = (world: World, from: number, by: S | undefined): number => {
    const text = model.canonical(world);
    const known = found.get(text);
    if (known !== undefined) return known;
    const index = worlds.length;
    found.set(text, index);
    worlds.push(world);
    cameFrom.push(from);
    cameBy.push(by);
    depths.push(from < 0 ? 0 : depths[from]! + 1);
    return index;
  };

  const pathTo = (index: number, last?: S): Violation<World, S>["path"] => {
    const path: { from: World; step: S }[] = last === undefined ? [] : [{ from: worlds[index]!, step: last }];
    for (let i = index; cameFrom[i]! >= 0; i = cameFrom[i]!)
      path.unshift({ from: worlds[cameFrom[i]!]!, step: cameBy[i]! });
    return path;
  };

  const report = (invariant: string, because: string, path: Violation<World, S>["path"]) => {
    const trace = path.map(({ step }, i) => `${String(i + 1).padStart(3)}. ${step.says}`).join("\n");
    violations.set(invariant, { invariant, because, path, trace: `${trace}\n     ⇒ ${because}` });
  };

  const result = () => ({
    states: worlds.length,
    transitions,
    depth: depths.at(-1) ?? 0,
    violations: [...violations.values()],
  });

  for (const world of model.initial) add(world, -1, undefined);
  for (let index = 0; index < worlds.length; index++) {
    const from = worlds[index]!;
    watch.state?.(from);
    for (const step of model.steps(from)) {
      transitions++;
      watch.step?.(from, step);
      for (const { name, check } of model.invariants) {
        if (violations.has(name)) continue;
        const because = check(from, step);
        if (because === undefined) continue;
        report(name, because, pathTo(index, step));
        if (stopAt === "first" || stopAt === name) return result();
      }
      const to = add(step.to, index, step);
      if (model.recovery !== undefined) edges.push(index, to);
    }
  }

  if (model.recovery !== undefined) {
    const { isGoal, mustReachGoal, sentence } = model.recovery;
    const canReach = reachableBackwards(worlds.length, edges, (index) => isGoal(worlds[index]!));
    const stuck = worlds.findIndex((world, index) => canReach[index] === 0 && mustReachGoal(world));
    if (stuck >= 0) report("recovery", `from here there is no way back: ${sentence}`, pathTo(stuck));
  }
  return result();
}

/** Of each state, whether a goal can be reached from it: walks all edges against their direction, from the goals. */
function reachableBackwards(
  states: number,
  edges: readonly number[],
  isGoal: (state: number) => boolean,
): Uint8Array {
  const firstEdge = new Int32Array(states).fill(-1);
  const nextEdge = new Int32Array(edges.length / 2);
  for (let e = 0; e < nextEdge.length; e++) {
    const to = edges[2 * e + 1]!;
    nextEdge[e] = firstEdge[to]!;
    firstEdge[to] = e;
  }
  const reached = new Uint8Array(states);
  const todo: number[] = [];
  const reach = (state: number) => {
    if (reached[state] === 1) return;
    reached[state] = 1;
    todo.push(state);
  };
  for (let state = 0; state < states; state++) if (isGoal(state)) reach(state);
  for (let state = todo.pop(); state !== undefined; state = todo.pop()) {
    for (let e = firstEdge[state]!; e >= 0; e = nextEdge[e]!) reach(edges[2 * e]!);
  }
  return reached;
}
