import { type Html, html } from "./html.ts";

/** A shape beside each status word, so that colour is never alone in telling it (WCAG 1.4.1). */
export function statusIcon(kind: "good" | "warn" | "bad" | "none"): Html {
  switch (kind) {
    case "good":
      return html`<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><circle cx="8" cy="8" r="8" fill="currentColor"/><path d="M4.2 8.3l2.5 2.5 5-5.3" fill="none" stroke="#fff" stroke-width="1.8"/></svg>`;
    case "warn":
      return html`<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="M8 .8l7.6 13.8H.4z" fill="currentColor"/><path d="M8 5.6v4.2M8 11.2v1.6" stroke="#fff" stroke-width="1.7"/></svg>`;
    case "bad":
      return html`<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="M5 .5h6L15.5 5v6L11 15.5H5L.5 11V5z" fill="currentColor"/><path d="M5 5l6 6M11 5l-6 6" stroke="#fff" stroke-width="1.8"/></svg>`;
    case "none":
      return html`<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><circle cx="8" cy="8" r="6.8" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="3 2.2"/></svg>`;
  }
}
