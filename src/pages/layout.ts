import { type Hole, type Html, html, styleElement } from "./html.ts";
import type { PageSettings } from "./page-deps.ts";
import { STYLE } from "./style.ts";
import { en } from "./texts.en.ts";

export interface PageParts {
  readonly title: string;
  readonly main: Hole;
  /** For what belongs into the head of one page only. */
  readonly head?: Hole;
  /** Room for a table. */
  readonly wide?: boolean;
}

/** The frame of every page: product, content, whom to ask. No script, nothing from elsewhere. */
export function layout(settings: PageSettings, { title, main, head, wide = false }: PageParts): Html {
  return html`<!doctype html>
<html lang="${en.lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – ${settings.productName}</title>
<link rel="icon" href="data:,">
${head}${styleElement(STYLE)}
</head>
<body class="${wide ? "wide" : ""}">
<header class="bar"><div class="inner"><p>${settings.logo && html`<img src="/brand/logo" alt="" height="32">`}${settings.productName}</p></div></header>
<main class="inner">
${main}
</main>
<footer><div class="inner"><p>${en.support(settings.supportContact)}</p></div></footer>
</body>
</html>
`;
}
