import type { SignedIn } from "../broker/libraries/library-pages.ts";
import type { LibraryView } from "../broker/libraries/library-view.ts";
import type { Problem } from "../domain/problem.ts";
import { librariesAddress, libraryAddress } from "./addresses.ts";
import { type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import { libraryName } from "./library-parts.ts";
import type { PageSettings } from "./page-deps.ts";
import { en } from "./texts.en.ts";

const texts = en.authorizeLibrary.another;

/** T11: the library is another's, and nobody agreed to take his place. Both are named so that whoever knows them does. */
export function anotherOwnerPage(
  settings: PageSettings,
  { server }: SignedIn,
  row: Pick<LibraryView, "library" | "displayName">,
  { details }: Problem,
): Html {
  const title = texts.title(libraryName(row));
  const masked = (member: string): string => String(details.members?.[member] ?? en.dash);
  return layout(settings, {
    title,
    main: html`<h1>${title}</h1>
<p class="lead">${texts.lead}</p>
<section class="card note warn">
<dl><dt>${texts.owner}</dt><dd><bdi>${masked("authorized_by")}</bdi></dd>
<dt>${texts.you}</dt><dd><bdi>${masked("signed_in_as")}</bdi></dd></dl>
<p>${texts.what}</p>
<p class="actions"><a class="button" href="${libraryAddress(server, row.library, "authorize")}">${texts.replace}<span class="hidden"> ${libraryName(row)}</span></a>
<a class="button plain" href="${librariesAddress(server)}">${en.libraries.back}</a></p>
</section>`,
  });
}
