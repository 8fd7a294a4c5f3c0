import { createHash } from "node:crypto";

/**
 * The one stylesheet, inline and named in the CSP by its digest: a page is one request, and nothing else on it may style.
 * Least contrast on any ground here: ink 13.5, accent 8.2, bad 7.2, warn 6.6, good 6.2, quiet 5.8 (WCAG AA asks 4.5).
 */
export const STYLE = `
:root{--ink:#1d2733;--quiet:#52606d;--line:#d5dbe1;--field:#6b7885;--ground:#f4f6f8;--card:#fff;--accent:#1b4b72;
--accent-dark:#12364f;--good:#1c6640;--good-ground:#eaf5ee;--bad:#98260f;--bad-ground:#fdf0ed;--warn:#7a4b00;--warn-ground:#fdf5e4}
*{box-sizing:border-box}
html{color-scheme:light;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere;min-height:100vh;display:flex;flex-direction:column}
.bar{background:var(--card);border-top:4px solid var(--accent);border-bottom:1px solid var(--line)}
.bar p{margin:0;font-weight:600;letter-spacing:.01em}
.bar img{display:inline-block;height:2rem;max-width:12rem;object-fit:contain;vertical-align:middle;margin-right:.75rem}
.inner{width:100%;max-width:44rem;margin:0 auto;padding:.9rem 1.25rem}
.wide .inner{max-width:90rem}
main.inner{flex:1;padding-top:1.25rem;padding-bottom:3rem}
footer{border-top:1px solid var(--line);color:var(--quiet);font-size:.875rem}
footer p{margin:0}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .75rem;font-weight:650;text-wrap:balance}
h2{font-size:1.1rem;line-height:1.35;margin:0 0 .5rem;font-weight:650}
p{margin:0 0 1rem;max-width:44rem}
.lead{font-size:1.06rem}
.quiet{color:var(--quiet)}
.small{font-size:.875rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1.25rem;margin:0 0 1.25rem}
.card>:last-child{margin-bottom:0}
.note{border-left:5px solid var(--accent)}
.note.good{border-left-color:var(--good);background:var(--good-ground)}
.note.bad{border-left-color:var(--bad);background:var(--bad-ground)}
.note.warn{border-left-color:var(--warn);background:var(--warn-ground)}
a{color:var(--accent);text-underline-offset:.18em}
a:hover{color:var(--accent-dark);text-decoration-thickness:2px}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:3px}
.button{display:inline-flex;align-items:center;justify-content:center;min-height:2.75rem;padding:.5rem 1.15rem;border:1px solid
var(--accent);border-radius:6px;background:var(--accent);color:#fff;font:inherit;font-weight:600;line-height:1.25;text-align:center;
text-decoration:none;cursor:pointer}
.button:hover{background:var(--accent-dark);border-color:var(--accent-dark);color:#fff}
.button.plain{background:var(--card);color:var(--accent)}
.button.plain:hover{background:var(--ground);color:var(--accent-dark)}
.button.danger{background:var(--bad);border-color:var(--bad)}
.button.danger:hover{background:#74190a;border-color:#74190a}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;align-items:center;margin:1.25rem 0 0}
form{margin:0}
label{display:block;font-weight:600;margin:0 0 .15rem}
.field{margin:0 0 1.1rem}
fieldset{border:0;margin:0 0 1.1rem;padding:0}
legend{font-weight:600;margin:0 0 .25rem;padding:0}
.choice{display:flex;gap:.6rem;align-items:center;font-weight:400;min-height:2.25rem;margin:0}
.choice input{width:1.2rem;height:1.2rem;margin:0;accent-color:var(--accent);flex:none}
textarea{display:block;width:100%;max-width:28rem;padding:.5rem .7rem;border:1px solid var(--field);border-radius:6px;background:#fff;
color:var(--ink);font:inherit}
input[type=text],input[type=password],input[type=date],select{display:block;width:100%;max-width:28rem;min-height:2.75rem;padding:.5rem .7rem;border:1px solid var(--field);
border-radius:6px;background:#fff;color:var(--ink);font:inherit}
input[readonly]{max-width:none}
table+.card{margin-top:1.25rem}
input[aria-invalid=true],textarea[aria-invalid=true]{border:2px solid var(--bad)}
.hint{margin:0 0 .5rem;color:var(--quiet);font-size:.925rem}
.fault{margin:0 0 .5rem;color:var(--bad);font-weight:600}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1.25rem;margin:0 0 1rem}
.sheet{grid-template-columns:14rem 1fr}
.sheet bdi{user-select:all}
.letters{font:.875em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
dt{color:var(--quiet)}
dd{margin:0}
code{font:.925em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.account{display:flex;flex-wrap:wrap;gap:.75rem 1.5rem;align-items:center;justify-content:space-between}
.account p,.account .actions{margin:0}
.who{display:flex;gap:.25rem 1.25rem;align-items:baseline;margin:0 0 .75rem;font-size:.875rem}
.who p{flex:1;max-width:none;margin:0}
.who button{border:0;padding:.25rem 0;background:none;color:var(--accent);font:inherit;text-decoration:underline;
text-underline-offset:.18em;cursor:pointer}
.who button:hover{color:var(--accent-dark);text-decoration-thickness:2px}
.status{display:inline-flex;align-items:center;gap:.45rem;font-weight:600;white-space:nowrap}
.status svg{flex:none}
p.note .status,.note h2 .status{vertical-align:-.15em}
.status.good{color:var(--good)}
.status.warn{color:var(--warn)}
.status.bad{color:var(--bad)}
.status.none{color:var(--quiet)}
.sub{display:block;color:var(--quiet);font-size:.875rem;font-weight:400}
.nowrap{white-space:nowrap}
h3{font-size:1rem;line-height:1.35;margin:1.25rem 0 .25rem;font-weight:650}
.card>h3:first-child{margin-top:0}
.uses,.pages{list-style:none;margin:0;padding:0}
.uses li{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:center;justify-content:space-between;padding:.6rem 0;
border-top:1px solid var(--line)}
.pages{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;margin:-.25rem 0 .9rem}
.pages a{display:inline-block;padding:.5rem 0}
.pages a[aria-current=page],.pages a[aria-current=true]{color:var(--ink);font-weight:650;text-decoration:none;border-bottom:3px solid var(--accent)}
.steps{list-style:none;margin:0;padding:0}
.steps li{padding:.9rem 0;border-top:1px solid var(--line)}
.steps li:first-child{border-top:0;padding-top:0}
.steps h3{margin:0}
.steps p{margin:0 0 .4rem}
.steps dl{margin:0}
.steps .actions{margin:.75rem 0 0}
.steps .working:not(:last-child){display:none}
.steps .working+li{border-top:0}
.wide .note{max-width:none}
.wide section.note{max-width:44rem}
table{width:100%;table-layout:fixed;font-size:.95rem;border-collapse:collapse;background:var(--card);border:1px solid var(--line);border-radius:8px}
caption{text-align:left;padding:0 0 .6rem}
caption .sub{max-width:44rem}
th,td{padding:.75rem .8rem;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
.libraries{margin:0 0 1.75rem}
.libraries thead th{width:10.5%}
.libraries thead th:first-child{width:16%}
.libraries thead th:nth-child(2){width:22%}
.libraries thead th:last-child{width:13%}
.libraries thead th:nth-child(3),.libraries thead th:nth-child(4){width:14%}
.libraries td p{margin:0 0 .35rem}
.more{display:inline-block;padding:.25rem 0;font-weight:400;font-size:.925rem}
.pick{display:flex;gap:.6rem;align-items:flex-start;margin:0}
.pick input{width:1.5rem;height:1.5rem;margin:0;accent-color:var(--accent);flex:none}
.audit thead th:last-child{width:40%}
.details{list-style:none;margin:0;padding:0}
.choosing{margin:0 0 1rem}
.choosing .line{display:flex;flex-wrap:wrap;gap:.5rem .75rem;align-items:center;margin:0 0 .75rem}
.choosing input{width:22rem}
.choosing .pages,.below{margin:0}
.above{margin:0 0 1.25rem}
.names{columns:14rem;margin:0 0 1rem;padding-left:1.25rem}
.order{margin:0 0 1rem;padding-left:1.5rem;max-width:44rem}
.order li{margin:0 0 .35rem}
.waiting:not(:last-child){display:none}
thead th{border-top:0;font-size:.875rem;color:var(--quiet);font-weight:600;background:var(--ground)}
tbody th{font-weight:600}
td .button{min-height:2.5rem;padding:.35rem .8rem}
td .actions{margin:0;gap:.5rem}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:74rem){
.sheet{grid-template-columns:minmax(8rem,14rem) minmax(0,1fr)}
table,caption,tbody,tr,tbody td,tbody th{display:block;width:auto}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table{border:0;background:none}
tr{background:var(--card);border:1px solid var(--line);border-radius:8px;margin:0 0 1rem;padding:.5rem 0}
tbody th,td{border:0;padding:.3rem 1rem}
td[data-label]{display:grid;grid-template-columns:8.5rem 1fr;gap:.75rem}
td[data-label]::before{content:attr(data-label);color:var(--quiet);font-size:.925rem}
}
@media (max-width:30rem){h1{font-size:1.4rem}dl,.sheet{grid-template-columns:1fr;gap:0}dd{margin:0 0 .5rem}.button{width:100%}
.account form,.actions form{width:100%}td[data-label]{grid-template-columns:7rem 1fr}}
@media (forced-colors:active){.button{border:2px solid ButtonText}.card,table{border:1px solid CanvasText}}
`;

export const STYLE_HASH = `sha256-${createHash("sha256").update(STYLE).digest("base64")}`;
