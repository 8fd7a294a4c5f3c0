import { expect, it } from "vitest";
import { flameGraph, framesOfCpu, framesOfHeap } from "../../scripts/bench/flame-graph.ts";

const called = (functionName: string, url = "") => ({ functionName, url, lineNumber: 0 });

it("a flame graph is as wide as the time in a function and below it, without what was waited", () => {
  const frames = framesOfCpu({
    nodes: [
      { id: 1, callFrame: called("(root)"), children: [2, 3] },
      { id: 2, callFrame: called("(idle)") },
      { id: 3, callFrame: called("handle<T>", "file:///x/src/http/a.ts"), children: [4] },
      { id: 4, callFrame: called("", "file:///x/node_modules/@scope/pkg/b.js") },
    ],
    samples: [2, 3, 4, 4],
    timeDeltas: [900, 10, 20, 10],
  });
  const svg = flameGraph(frames, "a & b");
  const widths = [...svg.matchAll(/<title>(.*?): ([\d.]+) %<\/title><rect width="([\d.]+)"/g)].map((m) =>
    m.slice(1),
  );
  expect(widths).toEqual([
    ["(root) node", "100.0", "1200.0"],
    ["handle&#60;T&#62; src/http:1", "100.0", "1200.0"],
    ["(anonymous) @scope/pkg:1", "75.0", "900.0"],
  ]);
  expect(svg).toContain("a &#38; b");
});

it("and of allocations, by bytes", () => {
  const svg = flameGraph(
    framesOfHeap({
      head: {
        ...{ callFrame: called("(root)"), selfSize: 0 },
        children: [
          { callFrame: called("one"), selfSize: 25, children: [] },
          { callFrame: called("two"), selfSize: 75, children: [] },
        ],
      },
    }),
    "bytes",
  );
  expect(svg).toContain("<title>two node: 75.0 %</title>");
});
