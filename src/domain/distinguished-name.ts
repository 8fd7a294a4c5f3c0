/**
 * One spelling of a distinguished name (RFC 4514), so that two can be compared as texts: attribute types by their short
 * names in capitals, no blanks around separators, no escape that is not needed, the parts of one RDN in order. Values keep
 * their letters as they are: a certificate says what was registered, or it is another's.
 * @returns undefined where it is no such name
 */
export function canonicalName(text: string): string | undefined {
  const names: string[] = [];
  let parts: string[] = [];
  for (const { type, value, end } of attributesOf(text)) {
    if (type === undefined) return undefined;
    parts.push(`${type}=${value}`);
    if (end === "+") continue;
    names.push(parts.sort().join("+"));
    parts = [];
  }
  return names.length === 0 || parts.length > 0 ? undefined : names.join(",");
}

const ATTRIBUTE =
  /\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*((?:\\(?:[0-9A-Fa-f]{2}|.)|[^\\,+"<>;])*?)\s*([,+]|$)/suy;
const UNREADABLE = { type: undefined, value: "", end: "" } as const;

function* attributesOf(text: string): Generator<{ type: string | undefined; value: string; end: string }> {
  for (let at = 0; ; ) {
    ATTRIBUTE.lastIndex = at;
    const match = ATTRIBUTE.exec(text);
    const value = match === null ? undefined : unescaped(match[2]!);
    if (match === null || value === undefined || value === "") return void (yield UNREADABLE);
    const end = match[3]!;
    yield { type: typeOf(match[1]!), value: escaped(value), end };
    at = ATTRIBUTE.lastIndex;
    if (end === "") return;
  }
}

/** The same attribute has a number and, with different people, different names. */
const NAMES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.5": "SERIALNUMBER",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  S: "ST",
  "2.5.4.9": "STREET",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "0.9.2342.19200300.100.1.1": "UID",
  USERID: "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "EMAILADDRESS",
  E: "EMAILADDRESS",
};

function typeOf(written: string): string {
  const type = written.toUpperCase();
  return NAMES[type] ?? type;
}

/** `\2C` is a byte of UTF-8, `\,` the character itself. Undefined: bytes that are no UTF-8. */
function unescaped(value: string): string | undefined {
  try {
    return value.replaceAll(
      /((?:\\[0-9A-Fa-f]{2})+)|\\(.)/gsu,
      (_, bytes: string | undefined, char: string) =>
        bytes === undefined ? char : decodeURIComponent(bytes.replaceAll("\\", "%")),
    );
  } catch {
    return undefined;
  }
}

const escaped = (value: string): string =>
  value
    .replaceAll(/[\\,+"<>;]/g, "\\$&")
    .replaceAll(
      /[\u0000-\u001f\u007f]/g,
      (char) => `\\${char.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`,
    )
    .replace(/^[ #]/, "\\$&")
    .replace(/(?<!\\) $/, "\\ ");
