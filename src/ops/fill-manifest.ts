import { isScalar, parseDocument, Scalar, visit } from "yaml";

/** What is wrong with a template: continues the file's name to a sentence, without the full stop. */
export class TemplateFault extends Error {}

const TEMPLATE_CHARACTERS_MAX = 256 * 1024;
const PLACEHOLDER = /\$\{([^}]*)\}?/g;
/** YAML 1.1 takes some of these for the end of a line, and none of them is visible. */
const INVISIBLE = /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\uffff]/g;

/**
 * Fills in the placeholders `${name}` of a YAML template. Done on the parsed document, value by value: whatever stands in a
 * value, quotes and line breaks included, it can become neither another field nor another type. A number stays one where
 * its placeholder is the whole value. Comments are left as they are.
 * @throws TemplateFault not YAML; a placeholder that is not known, not closed, or stands in a field's name
 */
export function fillManifest(template: string, values: Readonly<Record<string, string | number>>): string {
  if (template.length > TEMPLATE_CHARACTERS_MAX) throw new TemplateFault("is longer than 256 KiB");
  if (template.search(INVISIBLE) >= 0) throw new TemplateFault("holds invisible characters");
  const document = parseDocument(template, { prettyErrors: false, logLevel: "error" });
  const [error] = document.errors;
  if (error !== undefined) throw new TemplateFault(`is not YAML, at character ${error.pos[0] + 1}`);

  const placed = (name: string, whole: string): string | number => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value !== undefined && whole.endsWith("}")) return value;
    throw new TemplateFault(
      `has a placeholder ${JSON.stringify(whole.slice(0, 60))} that nobody knows; there are ${Object.keys(values).sort().join(", ")}`,
    );
  };
  visit(document, {
    Pair(_key, { key }) {
      const name = isScalar(key) ? key.value : key;
      if (typeof name === "string" ? name.includes("${") : typeof name === "object")
        throw new TemplateFault("has a placeholder or a structure in a field's name");
    },
    Scalar(key, node) {
      if (key === "key" || typeof node.value !== "string" || !node.value.includes("${")) return;
      const text = node.value;
      const [first] = text.matchAll(PLACEHOLDER);
      if (first?.[0] === text) node.value = placed(first[1]!, text);
      else node.value = text.replaceAll(PLACEHOLDER, (whole, name) => String(placed(name, whole)));
      if (typeof node.value === "string") {
        node.value = (node.value as string).toWellFormed();
        // Quoted, whatever it looks like: `yes`, `1.0` and `null` are names here.
        node.type = Scalar.QUOTE_DOUBLE;
      }
    },
  });
  // Only what was filled in can hold any of these, and it stands between double quotes.
  return document
    .toString({ lineWidth: 0 })
    .replaceAll(INVISIBLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
