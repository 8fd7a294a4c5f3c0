/** Text that is HTML already. */
class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

/** Escapes every value put into it, save those that are HTML already. */
export function html(
  strings: TemplateStringsArray,
  ...values: readonly (Html | string | number | readonly Html[])[]
): Html {
  return new Html(
    String.raw(
      { raw: strings },
      ...values.map((value) => {
        if (value instanceof Html) return value.text;
        if (typeof value === "object") return value.map((part) => part.text).join("");
        return escaped(String(value));
      }),
    ),
  );
}

export type { Html };

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!);
