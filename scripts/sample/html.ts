/** HTML that is finished: it is not escaped once more. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Hole = Html | string | number | false | undefined | readonly Hole[];

/** Every hole is escaped, so that no document's name can become part of the page. Attributes are quoted: `a="${b}"`. */
export function html(strings: TemplateStringsArray, ...holes: readonly Hole[]): Html {
  return new Html(String.raw({ raw: strings }, ...holes.map(fill)));
}

function fill(hole: Hole): string {
  if (hole === undefined || hole === false) return "";
  if (hole instanceof Html) return hole.text;
  if (typeof hole === "object") return hole.map(fill).join("");
  return String(hole).replaceAll(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
}
