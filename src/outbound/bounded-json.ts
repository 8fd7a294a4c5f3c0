/**
 * Parses JSON of bounded depth and number of members (T16): undefined where it is not JSON, or more than that. The bounds
 * are counted before parsing, outside of strings, so that what is too deep is never built.
 * @param json a text, or its bytes in UTF-8 as they came: a page of documents is then made a text only once.
 */
export function boundedJson(
  json: string | Uint8Array,
  bounds: { readonly depth: number; readonly members: number },
): { readonly value: unknown } | undefined {
  if (!isWithin(typeof json === "string" ? Buffer.from(json) : json, bounds)) return undefined;
  try {
    return { value: JSON.parse(typeof json === "string" ? json : new TextDecoder().decode(json)) };
  } catch {
    return undefined;
  }
}

/** Over bytes: several times as quick as over a text, and what is looked for is never part of another character (UTF-8). */
function isWithin(bytes: Uint8Array, bounds: { readonly depth: number; readonly members: number }): boolean {
  let depth = 0;
  let members = 0;
  const end = bytes.length;
  for (let i = 0; i < end; i++) {
    switch (bytes[i]) {
      case QUOTE:
        for (i++; i < end && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (++depth > bounds.depth) return false;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        depth--;
        break;
      case COLON:
        if (++members > bounds.members) return false;
    }
  }
  return true;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
