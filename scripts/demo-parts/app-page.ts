/** What the demo's small pages are made of. */
export interface Answered {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const page = (title: string, main: string, status = 200): Answered => ({
  status,
  body: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}td{padding:.1rem .8rem .1rem 0}label{display:block;margin:.8rem 0}</style></head>
<body><main><h1>${escaped(title)}</h1>${main}</main><p><a href="/">Matter tracker</a></p></body></html>`,
});

/** What the broker's problem says, and where it says to go. */
export function problem(body: object): Answered {
  const { title, action, page: where } = body as { title?: string; action?: string; page?: string };
  const link = where === undefined ? "" : `<p><a href="${escaped(where)}">What to do</a></p>`;
  return page(title ?? "The broker refuses", `<p>${escaped(action ?? "")}</p>${link}`, 409);
}

export const seeOther = (location: string, headers: Readonly<Record<string, string>> = {}): Answered => ({
  status: 303,
  body: "",
  headers: { location, ...headers },
});

export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
