import type { UpstreamUser } from "../domain/grant.ts";
import { type Html, html } from "./html.ts";
import { en } from "./texts.en.ts";

/** Someone of iManage. `<bdi>`: a name may hold characters that turn the direction of what follows (T09). */
export const person = ({ name, email, userId }: UpstreamUser): Html =>
  html`<b><bdi>${name ?? userId}</bdi></b> <span class="quiet">(<bdi>${
    [email, userId].filter((part) => part !== undefined && part !== (name ?? userId)).join(", ") ||
    en.libraries.userId
  }</bdi>)</span>`;
