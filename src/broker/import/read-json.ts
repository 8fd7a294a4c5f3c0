export interface JsonRecord {
  /** Where it begins in the text. */
  readonly line: number;
  /** Undefined: it is no JSON. What the parser says is thrown away: it quotes the text, and tokens stand in it. */
  readonly value: unknown;
}

export interface JsonRecords {
  readonly records: readonly JsonRecord[];
  /** What stands beside the list, where an object holds it. */
  readonly beside: Readonly<Record<string, unknown>>;
}

/**
 * The records of a JSON list, of an object that holds one under `key`, or of JSON lines. Undefined: none of these.
 */
export function readJsonRecords(text: string, key: string): JsonRecords | undefined {
  const whole = parse(text);
  if (Array.isArray(whole)) return { records: withLines(whole, text, text.indexOf("[")), beside: {} };
  if (isRecord(whole) && Array.isArray(whole[key])) {
    const { [key]: list, ...beside } = whole;
    return { records: withLines(list as unknown[], text, listOf(text, key)), beside };
  }
  if (whole !== undefined && !isRecord(whole)) return undefined;
  const lines = text.split("\n").flatMap((one, i) => (one.trim() === "" ? [] : [{ line: i + 1, text: one }]));
  if (whole !== undefined) return { records: [{ line: lines[0]!.line, value: whole }], beside: {} };
  // One line that is broken among others that are not is told by its number.
  const records = lines.map(({ line, text: one }) => ({ line, value: parse(one) }));
  return records.some(({ value }) => isRecord(value)) ? { records, beside: {} } : undefined;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Position of the list under a key of the outermost object. The text is known to parse. */
function listOf(text: string, key: string): number {
  let found = -1;
  scan(text, 0, (at, depth, letter) => {
    if (
      letter === "[" &&
      depth === 1 &&
      new RegExp(`"${key}"\\s*:\\s*$`).test(text.slice(Math.max(0, at - 200), at))
    )
      found = at;
    return found === -1;
  });
  return found;
}

function withLines(list: readonly unknown[], text: string, from: number): readonly JsonRecord[] {
  const starts: number[] = [];
  let wanted = true;
  scan(text, from, (at, depth, letter) => {
    if (depth === 0 && at > from) return false;
    if (depth === 1 && letter === ",") wanted = true;
    else if (wanted && at > from && letter !== "]") {
      starts.push(at);
      wanted = false;
    }
    return true;
  });
  let [line, at] = [1, 0];
  return list.map((value, i) => {
    for (const until = starts[i] ?? at; at < until; at++) if (text[at] === "\n") line += 1;
    return { line, value };
  });
}

/** Goes over what is neither blank nor inside a text. `depth`: of what encloses the letter; of a closing one, what is left. */
function scan(text: string, from: number, see: (at: number, depth: number, letter: string) => boolean): void {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const letter = text[at]!;
    if (/\s/.test(letter)) continue;
    if (letter === "]" || letter === "}") depth -= 1;
    if (!see(at, depth, letter)) return;
    if (letter === "[" || letter === "{") depth += 1;
    if (letter === '"') {
      for (at += 1; text[at] !== '"'; at++) if (text[at] === "\\") at += 1;
    }
  }
}
