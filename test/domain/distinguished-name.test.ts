import { describe, expect, it } from "vitest";
import { readThumbprint } from "../../src/domain/client-certificate.ts";
import { canonicalName } from "../../src/domain/distinguished-name.ts";

describe("a distinguished name", () => {
  it.each([
    ["CN=matter-tracker,OU=Apps,O=Meridian Legal,C=GB", "CN=matter-tracker,OU=Apps,O=Meridian Legal,C=GB"],
    ["cn = matter-tracker , o= Meridian Legal", "CN=matter-tracker,O=Meridian Legal"],
    ["2.5.4.3=a,1.2.840.113549.1.9.1=a@b.example", "CN=a,EMAILADDRESS=a@b.example"],
    ["E=a@b.example", "EMAILADDRESS=a@b.example"],
    ["UID=7+CN=a,O=b", "CN=a+UID=7,O=b"],
    ["CN=Hart\\, Amelia", "CN=Hart\\, Amelia"],
    ["CN=Hart\\2C Amelia", "CN=Hart\\, Amelia"],
    ["CN=Zo\\C3\\AB", "CN=Zoë"],
    ["CN=a\\\\,O=b", "CN=a\\\\,O=b"],
    ["CN=a\\5C,O=b", "CN=a\\\\,O=b"],
    ["CN=a\\\\41", "CN=a\\\\41"],
    ["CN=a\\0Ab", "CN=a\\0Ab"],
    ["CN=\\ a\\ ", "CN=\\ a\\ "],
    ["CN=a=b", "CN=a=b"],
  ])("%s is %s", (text, canonical) => {
    expect(canonicalName(text)).toBe(canonical);
    expect(canonicalName(canonical)).toBe(canonical);
  });

  it.each([
    "",
    "a",
    "CN",
    "CN=",
    "=a",
    "CN=a,",
    "CN=a+",
    ",CN=a",
    'CN="a, b"',
    "CN=a;O=b",
    "CN=a\\",
    "CN=\\C3",
    "CN=a<b",
  ])("%j is none", (text) => expect(canonicalName(text)).toBeUndefined());

  it("keeps capitals, order and number of its parts: another spelling of a value is another name", () => {
    const spellings = ["CN=a,O=b", "CN=A,O=b", "O=b,CN=a", "CN=a,O=b,O=b", "CN=a+O=b", "CN=a\\,O=b"];
    expect(new Set(spellings.map(canonicalName)).size).toBe(spellings.length);
  });
});

it("a thumbprint is read as tools print it, and as RFC 8705 writes it", () => {
  const text = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";
  const hex = Buffer.from(text, "base64url").toString("hex");
  expect(readThumbprint(text)).toBe(text);
  expect(readThumbprint(hex)).toBe(text);
  expect(readThumbprint(hex.toUpperCase().match(/../g)!.join(":"))).toBe(text);
  for (const wrong of ["", hex.slice(2), `${hex}00`, `${text.slice(0, -1)}1`, text.slice(1)])
    expect(readThumbprint(wrong)).toBeUndefined();
});
