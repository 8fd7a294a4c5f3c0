import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { DesiredConfiguration } from "../broker/organisations/desired.ts";
import {
  type FileReaders,
  type Remark,
  readDesiredConfiguration,
} from "../broker/organisations/desired-configuration.ts";
import type { AddressRules } from "../broker/organisations/server-address.ts";

/** A remark with the line it is about, counted from 1. */
export interface LocatedRemark {
  readonly line: number;
  /** `organisations.meridian.servers.dms.address`; empty: the file as a whole, or its syntax. */
  readonly place: string;
  readonly message: string;
}

export type ConfigurationFileReading =
  | {
      readonly ok: true;
      readonly desired: DesiredConfiguration;
      readonly warnings: readonly LocatedRemark[];
    }
  | {
      readonly ok: false;
      readonly faults: readonly LocatedRemark[];
      readonly warnings: readonly LocatedRemark[];
    };

/** Reads a configuration file. Faults of its YAML and of its contents come together, in the order of lines. */
export function readConfigurationFile(
  text: string,
  rules: AddressRules,
  readers?: FileReaders,
): ConfigurationFileReading {
  const lineCounter = new LineCounter();
  // Pretty errors and the parser's own warnings quote the file, and a secret might stand in it.
  const document = parseDocument(text, { lineCounter, prettyErrors: false, logLevel: "error" });
  const lineAt = (offset: number) => Math.max(1, lineCounter.linePos(offset).line);

  const syntax = document.errors.map(({ code, message, pos }) => ({
    line: lineAt(pos[0]),
    place: "",
    message:
      code === "DUPLICATE_KEY"
        ? "the same field stands here a second time"
        : `not YAML: ${unquoted(message)}`,
  }));
  // After any other fault of syntax the tree is a guess, and so would be everything said about it.
  if (document.errors.some(({ code }) => code !== "DUPLICATE_KEY")) {
    return { ok: false, faults: byLine(syntax), warnings: [] };
  }

  let value: unknown;
  try {
    // As plain JSON: a list that holds itself has no such form.
    value = JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: 100 }) ?? {}));
  } catch {
    const message = "its aliases (*name) point at nothing, or unfold without end";
    return { ok: false, faults: byLine([...syntax, { line: 1, place: "", message }]), warnings: [] };
  }

  const locate = ({ path, message }: Remark): LocatedRemark => ({
    line: lineAt(offsetOf(path)),
    place: placeOf(path, value),
    message,
  });
  const reading = readDesiredConfiguration(value, rules, readers);
  const warnings = byLine(reading.warnings.map(locate));
  if (reading.ok && syntax.length === 0) return { ok: true, desired: reading.desired, warnings };
  const faults = reading.ok ? [] : reading.faults.map(locate);
  return { ok: false, faults: byLine([...syntax, ...faults]), warnings };

  /** Where the field stands; where it is missing, what should hold it. */
  function offsetOf(path: Remark["path"]): number {
    let node: unknown = document.contents;
    let offset = startOf(node) ?? 0;
    for (const part of path) {
      if (isAlias(node)) node = node.resolve(document);
      if (isMap(node)) {
        const pair = node.items.findLast(({ key }) => isScalar(key) && String(key.value) === String(part));
        if (pair === undefined) return offset;
        offset = startOf(pair.key) ?? offset;
        node = pair.value;
      } else if (isSeq(node)) {
        node = node.items[Number(part)];
        offset = startOf(node) ?? offset;
      } else return offset;
    }
    return offset;
  }
}

const startOf = (node: unknown): number | undefined => (node as Node | null | undefined)?.range?.[0];

/** Entries of lists are told by their names where they have one. */
function placeOf(path: Remark["path"], value: unknown): string {
  let at: unknown = value;
  const parts = path.map((part) => {
    at = (at as Record<string | number, unknown> | null | undefined)?.[part];
    if (typeof part === "string") return part;
    const name = (at as { name?: unknown; organisation?: unknown } | undefined)?.name;
    return typeof name === "string" && name !== "" ? name : `#${part + 1}`;
  });
  return parts.join(".");
}

/** Some messages of the parser end with a piece of the file. */
const unquoted = (message: string): string => message.replace(/:?\s*["'`][\s\S]*$/, "");

const byLine = (remarks: readonly LocatedRemark[]): readonly LocatedRemark[] =>
  [...remarks].sort((a, b) => a.line - b.line);
