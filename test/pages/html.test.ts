import { expect, test } from "vitest";
import { html, safeAddress, styleElement, words } from "../../src/pages/html.ts";

const at = (literals: string[], ...values: Parameters<typeof html>[1][]) =>
  html(Object.assign([...literals], { raw: literals }) as unknown as TemplateStringsArray, ...values).text;

test("text is escaped, HTML made here is not, and nothing is nothing", () => {
  expect(html`<p>${`<b>&"'\``}</p>`.text).toBe("<p>&lt;b&gt;&amp;&quot;&#39;&#96;</p>");
  expect(html`<p>${html`<b>${"<"}</b>`}${[1, [html`<i>x</i>`, "&"]]}</p>`.text).toBe(
    "<p><b>&lt;</b>1<i>x</i>&amp;</p>",
  );
  expect(html`<p>${undefined}${null}${false}${""}</p>`.text).toBe("<p></p>");
  expect(html`<p>${0}</p>`.text).toBe("<p>0</p>");
});

test("what only looks like HTML is text", () => {
  const forged = { text: "<b>", toString: () => "<b>" } as unknown as string;
  expect(() => html`<p>${forged}</p>`).toThrow();
});

test("an attribute holds text and nothing else", () => {
  expect(html`<i title="a ${'" onclick="x'} b"></i>`.text).toBe('<i title="a &quot; onclick=&quot;x b"></i>');
  expect(() => html`<i title="${html`<b>`}"></i>`).toThrow("only text");
});

test("control characters and halves of characters become a box", () => {
  expect(html`${"a\u0000\u001b[31m\u0085\ud800b\n\tc"}`.text).toBe("a\ufffd\ufffd[31m\ufffd\ufffdb\n\tc");
});

test.each(["https://a.example/b?c=d#e", "http://127.0.0.1:8080/x", "HTTPS://a.example/", "/servers/x", "/"])(
  "%s is an address",
  (address) => expect(safeAddress(address)).toBe(address),
);

test.each([
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)",
  " javascript:alert(1)",
  "\u0001javascript:alert(1)",
  "java\tscript:alert(1)",
  "data:text/html,x",
  "vbscript:x",
  "blob:https://a.example/1",
  "file:///etc/passwd",
  "//evil.example",
  "/\\evil.example",
  "\\\\evil.example",
  "/\t/evil.example",
  "/\n/evil.example",
  "https:evil.example",
  "https:/evil.example",
  "https://",
  "evil.example",
  "#x",
  "",
])("%j is none", (address) => {
  expect(safeAddress(address)).toBe("#");
  expect(html`<a href="${address}">x</a>`.text).toBe('<a href="#">x</a>');
});

test("behind the beginning of an address a value is one part of it", () => {
  expect(html`<a href="/a/${`../b?c#d'"<`}/e">x</a>`.text).toBe(
    '<a href="/a/..%2Fb%3Fc%23d%27%22%3C/e">x</a>',
  );
  expect(html`<meta content="0;url=${"javascript:x"}">`.text).toBe('<meta content="0;url=#">');
});

test.each([
  [["<p ", ">x</p>"]],
  [["<", ">"]],
  [["<p class=", ">"]],
  [["<p class='", "'>"]],
  [['<p onclick="', '">']],
  [['<p style="', '">']],
  [["<script>", "</script>"]],
  [["<style>", "</style>"]],
  [["<!-- ", " -->"]],
  [['<p title="', ""]],
  [["<p>", "</p"]],
])("a template with a hole in a dangerous place throws: %j", (literals) => {
  expect(() => at(literals, "x")).toThrow();
});

test("a stylesheet cannot end its element; words set names apart and escape the rest", () => {
  expect(() => styleElement("a{}</style>")).toThrow();
  expect(words("set *Allow <b>* to *Yes*").text).toBe("set <b>Allow &lt;b&gt;</b> to <b>Yes</b>");
});
