import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** One function as it was called on one way, with what was measured in it and below it. */
export interface Frame {
  readonly name: string;
  /** `node_modules/express`, `src/http`, `node`: what colours it. */
  readonly place: string;
  readonly own: number;
  readonly children: readonly Frame[];
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}
interface CpuProfile {
  readonly nodes: readonly { id: number; callFrame: CallFrame; children?: readonly number[] }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}
interface HeapNode {
  readonly callFrame: CallFrame;
  readonly selfSize: number;
  readonly children: readonly HeapNode[];
}

/** Of a profile of V8's: processor time in microseconds, without what the process waited. */
export function framesOfCpu({ nodes, samples, timeDeltas }: CpuProfile): Frame {
  const own = new Map<number, number>();
  for (const [at, id] of samples.entries()) own.set(id, (own.get(id) ?? 0) + (timeDeltas[at] ?? 0));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const frame = (id: number): Frame => {
    const { callFrame, children = [] } = byId.get(id)!;
    const idle = callFrame.functionName === "(idle)";
    return { ...called(callFrame), own: idle ? 0 : (own.get(id) ?? 0), children: children.map(frame) };
  };
  return frame(nodes[0]!.id);
}

/** The same of allocations, in bytes. */
export const framesOfHeap = ({ head }: { readonly head: HeapNode }): Frame => {
  const frame = ({ callFrame, selfSize, children }: HeapNode): Frame => ({
    ...called(callFrame),
    own: selfSize,
    children: children.map(frame),
  });
  return frame(head);
};

const called = ({ functionName, url, lineNumber }: CallFrame): Pick<Frame, "name" | "place"> => {
  const within = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  const ours = /\/(src\/[^/]+)\//.exec(url)?.[1];
  const place = within ?? ours ?? "node";
  return {
    place,
    name: `${functionName || "(anonymous)"} ${place}${url === "" ? "" : `:${lineNumber + 1}`}`,
  };
};

const WIDTH = 1_200;
const ROW = 17;
/** Narrower ones are left out. */
const NARROWEST = 1;

/** A flame graph: each function lies upon what called it, as wide as what was measured in it and below it. */
export function flameGraph(root: Frame, title: string): string {
  const weights = new Map<Frame, number>();
  const weigh = (frame: Frame): number => {
    const weight = frame.children.reduce((sum, child) => sum + weigh(child), frame.own);
    weights.set(frame, weight);
    return weight;
  };
  const whole = weigh(root);
  const drawn: string[] = [];
  let deepest = 0;
  const draw = (frame: Frame, from: number, depth: number): void => {
    const weight = weights.get(frame)!;
    const width = (weight / whole) * WIDTH;
    if (width < NARROWEST) return;
    deepest = Math.max(deepest, depth);
    const x = ((from / whole) * WIDTH).toFixed(1);
    const share = `${((100 * weight) / whole).toFixed(1)} %`;
    const fits = Math.floor(width / 6.2) - 1;
    const text = fits < 3 ? "" : `<text x="3" y="12">${escaped(frame.name.slice(0, fits))}</text>`;
    drawn.push(
      `<g transform="translate(${x} ${-ROW * (depth + 1)})"><title>${escaped(frame.name)}: ${share}</title><rect width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colourOf(frame.place)}"/>${text}</g>`,
    );
    let at = from;
    for (const child of [...frame.children].sort((a, b) => weights.get(b)! - weights.get(a)!)) {
      draw(child, at, depth + 1);
      at += weights.get(child)!;
    }
  };
  draw(root, 0, 0);
  const height = (deepest + 1) * ROW + 34;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="ui-monospace, monospace" font-size="10.5">
<rect width="${WIDTH}" height="${height}" fill="#fff"/><text x="6" y="20" font-size="14">${escaped(title)}</text>
<g transform="translate(0 ${height - 4})">${drawn.join("\n")}</g></svg>
`;
}

/** Ours stand out; each package has a colour of its own. */
function colourOf(place: string): string {
  if (place === "node") return "#d8dde3";
  if (place.startsWith("src/")) return "#8ec5a2";
  const sum = [...place].reduce((total, letter) => (total * 31 + letter.charCodeAt(0)) % 360, 7);
  return `hsl(${sum} 55% 78%)`;
}

const escaped = (text: string): string => text.replace(/[<>&"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** Draws each profile of a folder beside it. Answers the files. */
export async function drawFlameGraphs(folder: string): Promise<string[]> {
  const drawn: string[] = [];
  for (const name of await readdir(folder)) {
    const kind = /\.(cpu|heap)profile$/.exec(name)?.[1];
    if (kind === undefined) continue;
    const profile = JSON.parse(await readFile(join(folder, name), "utf8")) as never;
    const cpu = kind === "cpu";
    const frames = cpu ? framesOfCpu(profile) : framesOfHeap(profile);
    const file = join(folder, `${name}.svg`);
    await writeFile(file, flameGraph(frames, cpu ? "processor time" : "allocations that were sampled"));
    drawn.push(file);
  }
  return drawn;
}
