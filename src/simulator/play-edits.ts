import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import { type Edit, editSchema } from "./edits.ts";

/** One line of a script: an edit, where, and when, in seconds after the beginning. Without `at`: at once after the line before. */
const lineSchema = z.looseObject({ library: z.string(), at: z.number().nonnegative().optional() });

export interface ScriptedEdit {
  at: number;
  library: string;
  edit: Edit;
}

/** JSON lines; empty ones and those that begin with # are left out. @throws naming the line that cannot be read. */
export function readEdits(text: string): ScriptedEdit[] {
  let last = 0;
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "" || line.startsWith("#")) return [];
    try {
      const { library, at, ...edit } = lineSchema.parse(JSON.parse(line));
      last = Math.max(last, at ?? last);
      return [{ at: last, library, edit: editSchema.parse(edit) }];
    } catch (error) {
      throw new Error(`line ${i + 1}: ${(error as Error).message}`);
    }
  });
}

/** Makes each when its time has come. What is due at one moment goes out together, a library at a time. */
export async function playEdits(
  script: readonly ScriptedEdit[],
  make: (library: string, edits: Edit[]) => unknown,
  { speed = 1, signal }: { speed?: number; signal?: AbortSignal } = {},
): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < script.length; ) {
    const { at, library } = script[i]!;
    const left = began + (at * 1000) / speed - performance.now();
    if (left > 0) await wait(left, undefined, signal === undefined ? {} : { signal });
    const due: Edit[] = [];
    for (; script[i]?.at === at && script[i]?.library === library && due.length < 1_000; i++)
      due.push(script[i]!.edit);
    await make(library, due);
  }
  return script.length;
}

/** Into a simulator of another process. */
export const overHttp = (origin: string) => async (library: string, edits: Edit[]) => {
  const response = await fetch(new URL("/_simulator/edits", origin), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ library, edits }),
  });
  if (!response.ok) throw new Error(`the simulator answered ${response.status}: ${await response.text()}`);
};
