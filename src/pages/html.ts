/** Text that is HTML already. Only this file makes it. */
class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

export type { Html };

/** What may stand in a hole. Undefined, null and false are nothing, so that `condition && html\`…\`` reads well. */
export type Hole = Html | string | number | undefined | null | false | readonly Hole[];

/**
 * HTML with holes. Every value is escaped for the place it stands in, which is read off the template itself:
 *
 * - between tags: as text; HTML made by this function stays, arrays are joined;
 * - in a quoted attribute: as text;
 * - as a whole `href`, `src` or `action`, or behind `url=` in a `content`: only http, https or a path of ours, else `#`;
 * - behind the beginning of such an address: as one segment or value of it (percent-encoded).
 *
 * A hole anywhere else (a tag's or attribute's name, an unquoted value, a script) is a mistake of the template and throws.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Hole[]): Html {
  const places = placesOf(strings);
  let text = strings[0]!;
  values.forEach((value, at) => {
    text += fill(places[at]!, value) + strings[at + 1]!;
  });
  return new Html(text);
}

/** The one inline stylesheet. CSS is ours alone: nothing that came from outside may stand in it. */
export function styleElement(css: string): Html {
  if (css.includes("</")) throw new Error("a stylesheet must not end its element");
  return new Html(`<style>${css}</style>`);
}

/** `text` with every `*name*` of a field or button set apart, as the guides of iManage print them. */
export function words(text: string): Html {
  const parts = text.split(/\*([^*]+)\*/);
  return html`${parts.map((part, at) => (at % 2 === 1 ? html`<b>${part}</b>` : part))}`;
}

/** Where a page goes on later; it is cut there before anything of it is sent. */
export const REST: Html = new Html("<!--rest-->");

/** A page in the pieces between its `REST`s. No word of anybody can look like one: words are escaped. */
export const partsOf = (page: Html): readonly string[] => page.text.split(REST.text);

type Place = "text" | "attribute" | "address" | "address-part";

const ADDRESSES = new Set(["href", "src", "action", "formaction"]);
const known = new WeakMap<TemplateStringsArray, readonly Place[]>();

function placesOf(strings: TemplateStringsArray): readonly Place[] {
  const before = known.get(strings);
  if (before !== undefined) return before;
  const places = readPlaces(strings);
  known.set(strings, places);
  return places;
}

/** Walks the literal parts once. It knows as much of HTML as the templates of this room use, and refuses the rest. */
function readPlaces(strings: readonly string[]): readonly Place[] {
  const places: Place[] = [];
  let state: "text" | "tag" | "value" = "text";
  let tag = "";
  let value = "";
  for (const [at, literal] of strings.entries()) {
    for (let position = 0; position < literal.length; position++) {
      const character = literal[position]!;
      if (state === "text") {
        if (character !== "<") continue;
        if (/^<(script|style|!--)/i.test(literal.slice(position)))
          throw new Error("no scripts, styles or comments");
        state = "tag";
        tag = "";
      } else if (state === "tag") {
        if (character === "'") throw new Error("attributes are quoted with double quotes");
        if (character === ">") state = "text";
        else if (character === '"') {
          state = "value";
          value = "";
        } else tag += character;
      } else if (character === '"') {
        state = "tag";
        tag = "";
      } else value += character;
    }
    if (at === strings.length - 1) break;
    if (state === "tag") throw new Error("a hole may stand between tags or in a quoted attribute only");
    places.push(state === "text" ? "text" : placeInAttribute(tag, value));
    if (state === "value") value += "\u0000";
  }
  if (state !== "text") throw new Error("a tag or attribute stays open");
  return places;
}

function placeInAttribute(tag: string, before: string): Place {
  const name = /([a-z-]+)=$/i.exec(tag)?.[1]?.toLowerCase();
  if (name === undefined) throw new Error("an attribute has no name");
  if (name.startsWith("on") || name === "style") throw new Error(`no holes in ${name}`);
  if (name === "content" && before.endsWith("url=")) return "address";
  if (!ADDRESSES.has(name)) return "attribute";
  return before === "" ? "address" : "address-part";
}

function fill(place: Place, value: Hole): string {
  if (value === undefined || value === null || value === false) return "";
  if (typeof value === "object") {
    if (place !== "text") throw new Error("only text may stand in an attribute");
    return value instanceof Html ? value.text : value.map((part) => fill(place, part)).join("");
  }
  const text = String(value).toWellFormed();
  switch (place) {
    case "address":
      return escaped(safeAddress(text));
    case "address-part":
      return encodeURIComponent(text).replaceAll("'", "%27");
    default:
      return escaped(text);
  }
}

/** Somewhere a person may be sent: http, https, or a path of our own. Anything else leads nowhere. */
export function safeAddress(address: string): string {
  // `//host` and `/\host` leave for another host; browsers drop tabs and line ends before they look (T06).
  if (/[\u0000-\u0020\\\u007f-\u009f]/.test(address)) return "#";
  if (address.startsWith("/")) return address.startsWith("//") ? "#" : address;
  return URL.canParse(address) && /^https?:\/\//i.test(address) ? address : "#";
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
};

/** Control characters have no business in a name; shown as a box they cannot move anything (T09). */
const escaped = (text: string): string =>
  text
    .replaceAll(/[&<>"'`]/g, (character) => ENTITIES[character]!)
    .replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd");
