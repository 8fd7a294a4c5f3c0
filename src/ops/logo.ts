import { readFile, stat } from "node:fs/promises";

/** The product's picture beside its name, as the pages hand it out. */
export interface Logo {
  readonly type: "image/svg+xml" | "image/png";
  readonly bytes: Uint8Array;
}

/** Shown small beside the name: more is a photograph, or a mistake. */
const BYTES_MAX = 100_000;
const PIXELS_MAX = 2_000;

/** Why a file is no logo; continues the setting's name to a sentence. */
export class LogoFault extends Error {}

/**
 * Reads a logo and looks what it is, whatever its name says.
 * @throws LogoFault
 */
export async function readLogo(file: string): Promise<Logo> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || !found.isFile()) throw new LogoFault("names a file that cannot be read");
  if (found.size > BYTES_MAX) throw new LogoFault(`names a file of more than ${BYTES_MAX / 1_000} kB`);
  const bytes = await readFile(file).catch(() => {
    throw new LogoFault("names a file that cannot be read");
  });
  return logoOf(bytes);
}

export function logoOf(bytes: Uint8Array): Logo {
  if (bytes.length > BYTES_MAX) throw new LogoFault(`names a file of more than ${BYTES_MAX / 1_000} kB`);
  const png = pngFault(bytes);
  if (png === "no png") {
    const text = textOf(bytes);
    if (text === undefined || !SVG.test(text))
      throw new LogoFault("names a file that is neither SVG nor PNG");
    for (const [pattern, what] of ACTIVE)
      if (pattern.test(text))
        throw new LogoFault(`names an SVG with ${what}: export it as a plain picture, or as PNG`);
    return { type: "image/svg+xml", bytes };
  }
  if (png !== undefined) throw new LogoFault(png);
  return { type: "image/png", bytes };
}

/** PNG (W3C, third edition) §5.2 and §11.2.1: the signature, then a header with the size. */
function pngFault(bytes: Uint8Array): string | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.subarray(0, 8).toString("latin1") !== "\u0089PNG\r\n\u001a\n") return "no png";
  if (buffer.length < 57 || buffer.toString("latin1", 12, 16) !== "IHDR")
    return "names a PNG that is cut short";
  const sides = [buffer.readUInt32BE(16), buffer.readUInt32BE(20)];
  if (sides.some((side) => side === 0 || side > PIXELS_MAX))
    return `names a PNG of more than ${PIXELS_MAX} pixels a side`;
  return buffer.toString("latin1", buffer.length - 8, buffer.length - 4) === "IEND"
    ? undefined
    : "names a PNG that is cut short";
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const SVG = /^\s*(<\?xml\s[^<>]*\?>\s*)?(<!--[\s\S]*?-->\s*)*<svg[\s>]/;

/**
 * A picture needs none of these. It is a second lock: pages show it by `<img>`, in which nothing runs, and under its own
 * address it is served with a policy that lets nothing run.
 */
const ACTIVE: readonly (readonly [RegExp, string])[] = [
  [/<(?:[\w.-]+:)?(?:script|handler|listener)\b/i, "a script"],
  [/[\s"'/]on[a-z]+\s*=/i, "an event handler"],
  [/javascript\s*:/i, "a script"],
  [/<!(?:DOCTYPE|ENTITY)/i, "a document type or entities"],
  [/<\?xml-stylesheet/i, "a style sheet from elsewhere"],
  [
    /<(?:[\w.-]+:)?(?:foreignObject|iframe|embed|object|audio|video|set|animate\w*)\b/i,
    "more than a drawing",
  ],
  [/\bhref\s*=\s*(?!\s*["']\s*(?:#|data:image\/(?:png|jpeg)[;,]))/i, "a link to elsewhere"],
  [/url\s*\(\s*(?!["']?\s*#)/i, "a link to elsewhere"],
  [/@import/i, "a style sheet from elsewhere"],
  [/&#/, "letters that are written as numbers"],
];
